// Package hook calls the webhooks of rollouts, apart from everything else: a
// hook that is slow holds up nothing but the rollout that waits for it.
//
// Like the load of a session, calls are level-triggered. The caller says which
// ones it wants now, and goes on when their answers are there:
//
//	hooks := hook.New(hook.Config{Notify: notify})
//	go hooks.Run(ctx)
//	hooks.Call(canary, decision.Calls)
//	answers := hooks.Answers(canary) // those that have come in
//
// Nothing is remembered beyond the process: a call whose answer was lost is made
// again, so that a hook is called at least once.
//
// The requests are Flagger's: a POST of name, namespace, phase, checksum and
// metadata in JSON. Any 2xx passes. Redirects are not followed, and an address
// that package egress refuses is an answer that says so.
package hook
