// Package testenv is Knative on a laptop: the real etcd, kube-apiserver,
// kube-controller-manager and Knative controller as child processes on loopback
// ports, without containers and without root.
//
//	env, err := testenv.Start(ctx, testenv.Options{CRDs: []string{"chart/crds"}})
//	defer env.Stop()
//	config := env.Config   // a client configuration with all rights
//	gateway := env.Gateway // host:port of the ingress
//
// Three things stand in for what needs containers or kernel networking, each
// in a package of its own: node runs a revision's container as a local
// process, ingress is the reverse proxy that Knative's Ingress objects ask
// for, admission is Knative's own defaulting and validation behind a webhook
// on loopback. Of the controller manager only what cleans up and what fills in
// aggregated roles is running. Package upstream builds the real programs, once, into the
// user's cache directory; package process makes sure that none of them
// outlives its parent.
//
// An environment is on loopback only, takes no fixed port, and keeps all its
// files in one temporary folder, which goes with it. Several may run at once. It
// knows the rights of ServiceAccounts, so that a chart's rules can be tried; see
// [Env.ServiceAccountConfig].
//
// Package cluster is the other environment, with pods and as root; package e2e
// plays Serin's users there, and package image makes images without an engine.
//
// `make testenv` leaves an environment running. Tests start one for a package
// in TestMain and take a namespace of their own with [Env.Namespace].
package testenv
