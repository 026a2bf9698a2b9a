// Package archive keeps the pages of rollouts that have ended, the newest few of
// each Canary, so that they can be looked at after a restart of the daemon:
//
//	shelf := archive.ConfigMaps{Client: client, Reader: live, Keep: 5}
//	a := archive.New(archive.Config{Shelf: shelf, Render: render, Log: log})
//	a.Ended(canary) // a rollout is over; returns at once
//
// Where they are kept is a [Shelf]: a ConfigMap that goes with its Canary
// ([ConfigMaps]), or a folder of a volume ([Folder]).
//
// What was kept in a ConfigMap is only given back if it is what was kept: its
// SHA-256 is in the annotation [Annotation] of the Canary.
//
// Pages are rendered and kept inside [Archive.Run]. All methods may be called
// concurrently.
package archive
