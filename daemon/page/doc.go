// Package page renders the pages on which people watch rollouts: an overview
// of all Canaries, a page of one, and the report of a rollout that stays
// readable when the daemon is gone.
//
// It renders values, and does nothing else: it asks no cluster, knows no HTTP
// and never decides. Its caller collects the data and serves what comes out:
//
//	err := page.WriteOverview(w, &overview)  // at /
//	err := page.WriteCanary(w, &canary)      // at page.Path(namespace, name)
//	err := page.WriteReport(w, &canary)      // one file, for keeps
//
// The first two want [Style] at /assets/serin.css and [Script] at
// /assets/serin.js, and nothing of any other host. They are meant for the
// Content-Security-Policy that [Policy] is. Without JavaScript they are whole,
// and show what was true when they were asked for.
//
// With it they are live. [OverviewRegions] and [CanaryRegions] are the parts of
// a page that change, by the id of their element. A stream of server-sent
// events at page.LivePath sends them, each time those that changed:
//
//	regions := page.CanaryRegions(&canary)
//	event := regions.Changed(sent).Event() // nil where there is nothing new
//
// and [Alive] where there was nothing for some seconds. A new connection gets
// all regions. A stream that must not be asked for again, for a Canary that is
// gone, is answered with an error.
//
// The buttons of a page are forms that post to [CommandPath]. The answer to a
// request that accepts application/json is an object with a "message" or an
// "error"; every other is sent back to the page.
//
// Whatever is shown may come from strangers: names, messages of webhooks,
// events. All of it is escaped, and loses the controls that turn the direction
// of text around.
//
// All exported functions may be called concurrently. What they are given must
// not change meanwhile.
package page
