// Package cli is Serin's command line for people: what a rollout does and why,
// the commands by which one takes part in it, faults, and drills.
//
// It talks to the API server as kubectl does, with the user's own rights, and
// for faults to the daemon. It never moves traffic and never decides anything:
// a command is an annotation of the Canary, and the daemon's answer is read
// from the Canary's status and events. What it prints was written by strangers
// as well, so that control characters are taken out of it.
//
//	cluster, err := cli.Connect(loader, "serin")
//	...
//	screen := cli.ScreenOf(os.Stdout, os.Getenv)
//	err = cli.Status(ctx, cluster, screen, cli.StatusOptions{Name: "podinfo", Watch: true})
//	...
//	err = cli.Do(ctx, cluster, cli.Promote, "podinfo", cli.Wait{For: 10 * time.Second}, os.Stdout)
//
// A screen is a terminal, or a file or pipe, which has no width and is never
// drawn over. A page is what it shows, as lines; the functions that make pages
// are pure.
//
// Nothing polls the API server: what changes is watched, and a watch that
// breaks is resumed.
//
// A Cluster may be used concurrently; a Daemon is for one caller at a time.
package cli
