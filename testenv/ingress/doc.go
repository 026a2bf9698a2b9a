// Package ingress is a small ingress for Knative: a reconciler that reads
// Knative's Ingress objects, and a reverse proxy that does what they say.
//
// It is one of the places where a test environment stands in for something
// real, namely Kourier, Istio or Contour, which need Envoy. Hosts, paths,
// header matches, percentages, tags and appended headers are honoured, over
// HTTP/1.1 and cleartext HTTP/2. All rules are one immutable [Table] that is
// swapped as a whole, and an Ingress is reported ready only after the table
// that has its current generation is in place.
//
// A host that no rule knows is answered 404, a revision without a ready
// process 503.
package ingress
