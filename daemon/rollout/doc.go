// Package rollout is the state machine of a rollout: one pure function,
// [Decide], from what is known to what to do next. It has no clock, does no
// I/O and starts no goroutine, so that every rule about moving users' traffic
// can be read, tested and simulated in one place.
//
//	decision := rollout.Decide(rollout.Input{Now: time.Now(), Canary: canary, Service: observed})
//
// The caller carries a [Decision] out in this order:
//
//  1. Status is written, with the resourceVersion it was computed from. When
//     that fails, nothing else is done.
//  2. Events, which tell of this change of status, are published.
//  3. Traffic is brought about on the Service.
//  4. The measured load is started, kept or stopped as Measure says.
//
// The status is written first because it is the daemon's memory. It says what
// is intended: which revision is under analysis, at which weight, whether it
// is on its way back. A daemon that dies after any of these steps is followed
// by one that reads the status, sees that the Service does not match it yet,
// and goes on. Initialized, Succeeded and Failed are different: they claim
// something about the world, and so are only decided once the Route shows it. A
// decision that [Decision.Claims] so is made again from the Service as the API
// server has it, before it is carried out.
//
// Which division of the traffic is wanted follows from the status alone
// (v1beta1.CanaryStatus.Division). What the Route shows is noted beside it, and where
// both differ a condition says since when, and who changed it.
//
// What a Canary that is gone leaves is for [Leave], which needs nothing but its
// Service.
//
// Each call makes at most one transition; the write of the new status brings
// about the next call.
package rollout
