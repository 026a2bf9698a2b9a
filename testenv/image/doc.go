// Package image makes container images of files, without an engine and without
// a registry: archives as `docker save` writes them, for containerd, buildah or
// Docker to load.
//
//	err := image.Write("pause.tar", image.Spec{
//		Name:       "dev.local/pause:1",
//		Files:      []image.File{{Path: "/pause", From: "bin/pause"}},
//		Entrypoint: []string{"/pause"},
//	})
//
// The same files make the same bytes. [Base] and [Builder] are images to build
// Serin's own on, out of what Debian's packages have put on this machine.
package image
