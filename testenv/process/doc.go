// Package process starts child processes that do not outlive their parent.
//
// Every child has a process group of its own, so that Ctrl-C on a terminal
// reaches only the parent, which then ends its children in good order. Where
// the parent itself dies without a word, killed or crashed, a watchdog ends
// them: one small shell process that reads from a pipe which processes are
// alive. When the pipe closes, because nobody holds its other end any more, it
// kills what is left and removes the folders that it was told of.
//
//	watchdog, err := process.NewWatchdog(dir)
//	defer watchdog.Close()
//	etcd, err := process.Start(watchdog, process.Command{Path: "etcd", Log: "etcd.log"})
//	defer etcd.Stop(5 * time.Second)
//
// There is no need of root and nothing that is peculiar to Linux.
package process
