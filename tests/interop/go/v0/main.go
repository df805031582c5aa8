// A scheduler and an executor on mesos-go's v0 API (libprocess), in one program.
//
//	v0 MASTER TASKS       HOST:PORT or zk://…; run TASKS tasks on our own executor, exit 0 when all finished
//	v0 executor           what the agent starts
//
// PRINCIPAL and SECRET in the environment: authenticate as that.
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/mesos/mesos-go/api/v0/auth"
	"github.com/mesos/mesos-go/api/v0/auth/sasl"
	_ "github.com/mesos/mesos-go/api/v0/auth/sasl/mech/crammd5"
	_ "github.com/mesos/mesos-go/api/v0/detector/zoo"
	"github.com/mesos/mesos-go/api/v0/executor"
	mesos "github.com/mesos/mesos-go/api/v0/mesosproto"
	util "github.com/mesos/mesos-go/api/v0/mesosutil"
	"github.com/mesos/mesos-go/api/v0/scheduler"
	"golang.org/x/net/context"
)

func text(s string) *string { return &s }

type taskRunner struct{}

func (taskRunner) Registered(_ executor.ExecutorDriver, e *mesos.ExecutorInfo, f *mesos.FrameworkInfo, a *mesos.SlaveInfo) {
	fmt.Println("registered", e.GetExecutorId().GetValue(), "at", a.GetHostname())
}
func (taskRunner) Reregistered(executor.ExecutorDriver, *mesos.SlaveInfo) {}
func (taskRunner) Disconnected(executor.ExecutorDriver)                   {}
func (taskRunner) LaunchTask(driver executor.ExecutorDriver, task *mesos.TaskInfo) {
	driver.SendStatusUpdate(util.NewTaskStatus(task.TaskId, mesos.TaskState_TASK_RUNNING))
	driver.SendFrameworkMessage("echo " + string(task.Data))
	done := util.NewTaskStatus(task.TaskId, mesos.TaskState_TASK_FINISHED)
	done.Data = task.Data
	driver.SendStatusUpdate(done)
}
func (taskRunner) KillTask(executor.ExecutorDriver, *mesos.TaskID)     {}
func (taskRunner) FrameworkMessage(executor.ExecutorDriver, string)    {}
func (taskRunner) Shutdown(driver executor.ExecutorDriver)             { driver.Stop() }
func (taskRunner) Error(_ executor.ExecutorDriver, message string)     { fmt.Println("error", message) }

func runExecutor() int {
	driver, err := executor.NewMesosExecutorDriver(executor.DriverConfig{Executor: taskRunner{}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	driver.Run()
	return 0
}

type launcher struct {
	executor           *mesos.ExecutorInfo
	total              int
	launched, finished int
	messages           int
	failed             bool
}

func (l *launcher) Registered(_ scheduler.SchedulerDriver, id *mesos.FrameworkID, m *mesos.MasterInfo) {
	fmt.Println("registered", id.GetValue(), "version", m.GetVersion())
}
func (l *launcher) Reregistered(scheduler.SchedulerDriver, *mesos.MasterInfo) { fmt.Println("reregistered") }
func (l *launcher) Disconnected(scheduler.SchedulerDriver)                    { fmt.Println("disconnected") }
func (l *launcher) ResourceOffers(driver scheduler.SchedulerDriver, offers []*mesos.Offer) {
	for _, offer := range offers {
		tasks := []*mesos.TaskInfo{}
		for l.launched < l.total && len(tasks) < 5 {
			l.launched++
			id := fmt.Sprintf("go-v0-%d", l.launched)
			tasks = append(tasks, &mesos.TaskInfo{
				Name: text(id), TaskId: util.NewTaskID(id), SlaveId: offer.SlaveId, Executor: l.executor,
				Data:      []byte(id),
				Resources: []*mesos.Resource{util.NewScalarResource("cpus", 0.1), util.NewScalarResource("mem", 16)},
			})
		}
		driver.LaunchTasks([]*mesos.OfferID{offer.Id}, tasks, &mesos.Filters{RefuseSeconds: new(float64)})
	}
}
func (l *launcher) OfferRescinded(scheduler.SchedulerDriver, *mesos.OfferID) {}
func (l *launcher) StatusUpdate(driver scheduler.SchedulerDriver, status *mesos.TaskStatus) {
	fmt.Println("status", status.TaskId.GetValue(), status.GetState())
	switch status.GetState() {
	case mesos.TaskState_TASK_FINISHED:
		if string(status.Data) != status.TaskId.GetValue() {
			fmt.Println("data lost:", string(status.Data))
			l.failed = true
		}
		l.finished++
	case mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_KILLED, mesos.TaskState_TASK_ERROR:
		fmt.Println("message", status.GetMessage())
		l.failed = true
	}
	l.check(driver)
}
func (l *launcher) FrameworkMessage(driver scheduler.SchedulerDriver, _ *mesos.ExecutorID, _ *mesos.SlaveID, data string) {
	l.messages++
	l.check(driver)
}
func (l *launcher) check(driver scheduler.SchedulerDriver) {
	if l.failed || (l.finished == l.total && l.messages == l.total) {
		driver.Stop(false)
	}
}
func (l *launcher) SlaveLost(scheduler.SchedulerDriver, *mesos.SlaveID) {}
func (l *launcher) ExecutorLost(scheduler.SchedulerDriver, *mesos.ExecutorID, *mesos.SlaveID, int) {}
func (l *launcher) Error(_ scheduler.SchedulerDriver, message string) {
	fmt.Println("error", message)
	l.failed = true
}

func runScheduler(master string, total int) int {
	self, _ := os.Executable()
	info := &mesos.ExecutorInfo{
		ExecutorId: util.NewExecutorID("go-v0"),
		Command:    util.NewCommandInfo("exec " + self + " executor"),
	}
	l := &launcher{executor: info, total: total}
	config := scheduler.DriverConfig{
		Scheduler:      l,
		Framework:      &mesos.FrameworkInfo{User: text(""), Name: text("mesos-go v0")},
		Master:         master,
		BindingAddress: net.ParseIP("127.0.0.1"),
	}
	if principal := os.Getenv("PRINCIPAL"); principal != "" {
		config.Framework.Principal = text(principal)
		config.Credential = &mesos.Credential{Principal: text(principal), Secret: text(os.Getenv("SECRET"))}
		config.WithAuthContext = func(ctx context.Context) context.Context {
			return sasl.WithBindingAddress(auth.WithLoginProvider(ctx, sasl.ProviderName), config.BindingAddress)
		}
	}
	driver, err := scheduler.NewMesosSchedulerDriver(config)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go func() {
		time.Sleep(60 * time.Second)
		fmt.Println("timed out")
		os.Exit(3)
	}()
	driver.Run()
	fmt.Println("finished", l.finished, "messages", l.messages)
	if l.failed || l.finished != total {
		return 1
	}
	return 0
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "executor" {
		os.Exit(runExecutor())
	}
	total, _ := strconv.Atoi(os.Args[2])
	os.Exit(runScheduler(os.Args[1], total))
}
