// Package upstream builds the programs that a test environment runs, as their
// authors released them: kube-apiserver, kube-controller-manager, etcd, the
// Knative controller and podinfo; and for a cluster with pods the rest of
// Kubernetes and Knative, and CoreDNS.
//
// Each comes from a module file of its own, pinned with checksums, that is
// embedded here and written to the user's cache directory, where `go build`
// makes the program from the Go module proxy. A program is built once for each
// version of its module file and of Go. Two processes may ask for it at the
// same time; one builds, the other waits.
//
// Four lines are changed before the build, and no others: listeners that would
// be open to the network, or have a fixed port, and cannot be configured. For a
// cluster, which has a network of its own, nothing is changed.
//
//	programs, err := upstream.Build(ctx, os.Stderr)
//	cmd := exec.Command(programs.Etcd, "--version")
package upstream
