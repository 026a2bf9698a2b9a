// Package cluster is a real Kubernetes with one node, and Knative Serving on
// it, on an ordinary Linux machine: etcd, kube-apiserver, controller manager,
// scheduler, kubelet, kube-proxy, containerd, runc, CoreDNS and the whole of
// Knative, with its webhook, autoscaler, activator and queue-proxy. It is for
// what package testenv cannot show: the image, the chart, RBAC, DNS, probes,
// pods that come and go.
//
//	err := cluster.Up(ctx, cluster.Options{Progress: os.Stderr})
//	err = cluster.Exec([]string{"kubectl", "get", "pods", "-A"}) // becomes kubectl
//	err = cluster.Down(ctx)
//
// It needs root and some of Debian's packages, which Up names where they are
// missing, and neither Docker nor a registry: package upstream builds the
// programs, package image makes images of them. There is one at a time on a
// machine.
//
// All of it is in namespaces of its own. Its network has an address for the
// node and no way out: an image that was not loaded fails at once. Its
// processes are in a PID namespace, so that nothing outlives their first one;
// its mounts, what it writes below /run, /var/lib and /var/log, and the
// kernel's settings that kubelet insists on are only seen inside. What is left
// after Down are the programs and images in the user's cache directory.
//
// Of the ingresses that Knative supports none can be built without Envoy; the
// one of package ingress runs as a Deployment instead. There is nothing that
// enforces NetworkPolicies.
package cluster
