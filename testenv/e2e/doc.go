// Package e2e plays Serin's users on a real cluster: it installs the chart,
// applies the files of examples, runs kubectl and helm as people do, and counts
// what goes wrong for those who use the workload meanwhile.
//
// `make e2e` runs it in a cluster that it brings up and takes down; with
// E2E_KUBECONFIG it runs in yours. Elsewhere it is skipped and says so. The
// environment says where things are:
//
//	E2E_KUBECONFIG  the cluster, with the rights of its administrator
//	E2E_GATEWAY     host:port of its ingress for public hosts, as the tests reach it
//	E2E_IMAGE       REPOSITORY:TAG of Serin's image there; empty for the chart's own
//	E2E_HELM        helm; empty for bin/helm of this repository
//
// Tests have a namespace each and run beside each other: they mostly wait.
package e2e
