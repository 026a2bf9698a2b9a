// Package tap is a forward proxy that measures, so that requests by hand count:
// in the daemon's pod http_proxy points to it, and what curl, hey or serin load
// send goes on to the Services that have a Canary, and into the verdict of the
// revision that is asked.
//
//	proxy := tap.New(tap.Config{Find: book.Find, Record: record, Log: log})
//	err := (&tap.Server{Listener: listener, Proxy: proxy}).Start(ctx)
//
// It is no open proxy: it listens on loopback alone ([CheckListen]) and forwards
// to nothing else than what Find finds. Bodies are streamed in both directions,
// redirects are the client's to follow, and the headers stay as they are, but
// those of a single connection. CONNECT, and so https, is refused, as are
// upgrades: what is in them could not be measured.
//
// A request is measured from its arrival to the last byte of its answer. One
// whose client goes away in between is not measured: nobody knows how it would
// have ended.
//
// All methods may be called concurrently.
package tap
