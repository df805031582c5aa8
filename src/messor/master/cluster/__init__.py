"""What operators decide about the cluster as a whole: quota, weights, maintenance."""
