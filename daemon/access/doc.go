// Package access says who may change something over HTTP.
//
// Whoever reaches the daemon over loopback is inside its pod already, or may
// forward ports to it, and needs no token, unless Guard.LoopbackNeedsToken says
// otherwise or the request says that a proxy has forwarded it. Everybody else needs a bearer token
// that Kubernetes knows (TokenReview) and the right to do the same to the
// Canary (SubjectAccessReview):
//
//	guard := access.Guard{Client: client}
//	err := guard.Check(r, access.Action{Verb: "patch", Namespace: "test", Name: "podinfo"})
//
// A page of somebody else in a browser beside a forwarded port is inside too,
// which is why [Guard.Check] also wants to be asked for by a loopback name:
// that keeps out names that were made to point here. Requests across origins
// are the caller's to refuse, with http.CrossOriginProtection.
//
// Answers of Kubernetes are kept for ten seconds, so that a token that is revoked,
// or a right that is taken away, counts for as much longer. A Guard may be used
// concurrently.
package access
