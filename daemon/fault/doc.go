// Package fault disturbs Serin's own requests, so that people can see that a
// rollout stops. Users' traffic never comes here.
//
//	faults := fault.New(fault.Config{Notify: publish, Registerer: registry})
//	rule, err := fault.Decode(body)  // {"namespace": "test", "name": "podinfo", "status": 503}
//	rule, err = faults.Add(ctx, rule)
//	target.Detour = faults.Detour(canary, v1beta1.SideCanary) // of a load
//
// A rule is about one Canary and one or both revisions of its rollout. It acts
// on a percentage of the requests whose path begins as it says, in one way:
// answered with a status, delayed, reset, timed out, cut off, slowed down, or
// replaced by a request to the workload's own fault path. It ends by itself,
// and does not survive the daemon. Its begin and its end are told, in words that
// begin with "Drill:", so that nobody takes it for an outage.
//
// Rules end inside [Faults.Run]. All methods may be called concurrently.
package fault
