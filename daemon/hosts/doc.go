// Package hosts knows which Canary, and which of its revisions, a host name
// means, and where requests to it are sent. It is how Serin keeps to the
// Services that it serves: what no Canary has, it does not find.
//
//	book := hosts.Book{Reader: cache, Gateway: "10.0.0.1:80"}
//	place, err := book.Find(ctx, "canary-podinfo.test")
//	// place.Canary is test/podinfo, place.Side the canary revision
//
// A Book reads through its Reader alone, and may be used concurrently.
package hosts
