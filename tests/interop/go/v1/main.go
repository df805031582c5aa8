// A scheduler and an executor on mesos-go's v1 API (HTTP), in one program.
//
//	v1 HOST:PORT json|protobuf TASKS    run TASKS tasks on our own executor, exit 0 when all finished
//	v1 executor json|protobuf           what the agent starts
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	execcalls "github.com/mesos/mesos-go/api/v1/lib/executor/calls"
	execconfig "github.com/mesos/mesos-go/api/v1/lib/executor/config"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/controller"
	"github.com/mesos/mesos-go/api/v1/lib/extras/store"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpexec"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/events"
)

func codec(name string) encoding.Codec {
	if name == "json" {
		return codecs.ByMediaType[codecs.MediaTypeJSON]
	}
	return codecs.ByMediaType[codecs.MediaTypeProtobuf]
}

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

// --- executor ---------------------------------------------------------------------------------------------------------

func update(cli calls2, task mesos.TaskInfo, state mesos.TaskState, number int) {
	source := mesos.SOURCE_EXECUTOR
	now := float64(time.Now().Unix())
	uuid := make([]byte, 16)
	copy(uuid, fmt.Sprintf("%08d%08d", os.Getpid(), number))
	uuid[6], uuid[8] = 0x40, 0x80
	status := mesos.TaskStatus{
		TaskID: task.TaskID, State: &state, Source: &source, UUID: uuid, Timestamp: &now,
		ExecutorID: &mesos.ExecutorID{Value: os.Getenv("MESOS_EXECUTOR_ID")},
	}
	if state == mesos.TASK_FINISHED {
		status.Data = task.Data
	}
	cli(execcalls.Update(status))
}

type calls2 func(*executor.Call)

func runExecutor(format string) {
	config, err := execconfig.FromEnv()
	check(err)
	endpoint := url.URL{Scheme: "http", Host: config.AgentEndpoint, Path: "/api/v1/executor"}
	client := httpcli.New(httpcli.Endpoint(endpoint.String()), httpcli.Codec(codec(format)))
	sender := httpexec.NewSender(client.Send)
	options := executor.CallOptions{execcalls.Framework(config.FrameworkID), execcalls.Executor(config.ExecutorID)}
	send := func(call *executor.Call) {
		response, err := sender.Send(context.TODO(), execcalls.NonStreaming(call.With(options...)))
		check(err)
		if response != nil {
			response.Close()
		}
	}
	subscribe := execcalls.Subscribe(nil, nil).With(options...)
	response, err := sender.Send(context.TODO(), execcalls.NonStreaming(subscribe))
	check(err)
	number := 0
	for {
		var event executor.Event
		err := response.Decode(&event)
		if errors.Is(err, io.EOF) {
			return
		}
		check(err)
		switch event.GetType() {
		case executor.Event_SUBSCRIBED:
			fmt.Println("subscribed", event.GetSubscribed().AgentInfo.GetHostname())
		case executor.Event_LAUNCH:
			task := event.GetLaunch().Task
			number += 2
			update(send, task, mesos.TASK_RUNNING, number)
			update(send, task, mesos.TASK_FINISHED, number+1)
		case executor.Event_SHUTDOWN:
			return
		}
	}
}

// --- scheduler --------------------------------------------------------------------------------------------------------

func runScheduler(master, format string, total int) {
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
	defer stop()
	client := httpcli.New(httpcli.Endpoint("http://"+master+"/api/v1/scheduler"), httpcli.Codec(codec(format)))
	caller := httpsched.NewCaller(client)
	ids := store.NewInMemorySingleton()
	framework := &mesos.FrameworkInfo{User: "", Name: "mesos-go v1 " + format}
	self, _ := os.Executable()
	shell := "exec " + self + " executor " + format
	runner := &mesos.ExecutorInfo{
		Type:       mesos.ExecutorInfo_CUSTOM,
		ExecutorID: mesos.ExecutorID{Value: "go-v1"},
		Command:    &mesos.CommandInfo{Value: &shell},
	}
	launched, finished := 0, 0
	caller = calls.CallerFunc(func(inner calls.Caller) calls.CallerFunc {
		return func(ctx context.Context, call *scheduler.Call) (mesos.Response, error) {
			if id, _ := ids.Get(); id != "" {
				call = call.With(calls.Framework(id))
			}
			return inner.Call(ctx, call)
		}
	}(caller))

	offers := func(ctx context.Context, event *scheduler.Event) error {
		for _, offer := range event.GetOffers().GetOffers() {
			tasks := []mesos.TaskInfo{}
			for launched < total && len(tasks) < 5 {
				launched++
				id := fmt.Sprintf("go-v1-%s-%d", format, launched)
				runner.FrameworkID = &offer.FrameworkID
				tasks = append(tasks, mesos.TaskInfo{
					Name: id, TaskID: mesos.TaskID{Value: id}, AgentID: offer.AgentID, Executor: runner, Data: []byte(id),
					Resources: mesos.Resources{resources.NewCPUs(0.1).Resource, resources.NewMemory(16).Resource},
				})
			}
			accept := calls.Accept(calls.OfferOperations{calls.OpLaunch(tasks...)}.WithOffers(offer.ID))
			if err := calls.CallNoData(ctx, caller, accept.With(calls.RefuseSeconds(0))); err != nil {
				return err
			}
		}
		return nil
	}
	updates := func(_ context.Context, event *scheduler.Event) error {
		status := event.GetUpdate().GetStatus()
		fmt.Println("status", status.GetTaskID().Value, status.GetState())
		switch status.GetState() {
		case mesos.TASK_FINISHED:
			if string(status.GetData()) != status.GetTaskID().Value {
				return errors.New("data lost: " + string(status.GetData()))
			}
			finished++
			if finished == total {
				stop()
			}
		case mesos.TASK_LOST, mesos.TASK_FAILED, mesos.TASK_KILLED, mesos.TASK_ERROR:
			return errors.New(status.GetMessage())
		}
		return nil
	}
	handler := controller.LiftErrors().Handle(events.Handlers{
		scheduler.Event_SUBSCRIBED: controller.TrackSubscription(ids, 0),
		scheduler.Event_OFFERS:     events.HandlerFunc(offers),
		scheduler.Event_UPDATE:     controller.AckStatusUpdates(caller).HandleF(updates),
	}.Otherwise(func(context.Context, *scheduler.Event) error { return nil }))
	tokens := make(chan struct{}, 1)
	tokens <- struct{}{}
	close(tokens)
	err := controller.Run(ctx, framework, caller, controller.WithFrameworkID(store.GetIgnoreErrors(ids)),
		controller.WithRegistrationTokens(tokens), controller.WithEventHandler(handler))
	fmt.Println("finished", finished, "of", total, err)
	if finished != total {
		os.Exit(1)
	}
}

func main() {
	if os.Args[1] == "executor" {
		runExecutor(os.Args[2])
		return
	}
	total, _ := strconv.Atoi(os.Args[3])
	runScheduler(os.Args[1], os.Args[2], total)
}
