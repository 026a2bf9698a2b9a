// Package alert tells people about rollouts: it sends messages to the
// AlertProviders that a Canary names, or to a global one.
//
// It never decides what is worth telling, never makes its caller wait, and
// never writes an address to the log: who knows a webhook's address can use it.
//
//	alerts := alert.New(alert.Config{Reader: mgr.GetAPIReader(), Log: log})
//	go alerts.Run(ctx)
//	alerts.Send(alert.Message{
//		Canary:   types.NamespacedName{Namespace: "test", Name: "podinfo"},
//		Text:     "Rolling back podinfo.test: error-rate is 4.2%",
//		Severity: alert.Error,
//	}, canary.Spec.Analysis.Alerts)
//
// A message goes to each alert of the Canary whose severity lets it pass, and
// where the Canary has no alerts at all, to the global provider.
//
// Every provider has a line of its own: a queue that holds the newest messages
// and is worked off one by one, one a second and ten at once, so that a slow
// provider delays nobody else. The provider and its Secret are read anew for
// every try: a corrected address is used at once. A message is tried a few
// times; it is given up, with a word in the log, when the provider refuses it,
// after the last try, or five minutes after Send. What is still queued when
// the daemon ends is not sent.
//
// All exported functions may be called concurrently.
package alert
