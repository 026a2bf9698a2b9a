// Package testenv is Knative on a laptop: the real kube-apiserver, etcd and
// Knative controller as child processes on loopback ports, without containers
// and without root.
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
// on loopback. Package upstream builds the real programs, once, into the
// user's cache directory; package process makes sure that none of them
// outlives its parent.
//
// `make testenv` leaves an environment running. Tests start one for a package
// in TestMain and take a namespace of their own with [Env.Namespace].
package testenv
