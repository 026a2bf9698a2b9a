package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const certificates = "/etc/ssl/certs/ca-certificates.crt"

// Base writes an archive of an image to put Serin's on, as the Dockerfile wants
// it: sh, watch and their like from this machine's busybox-static, curl with its
// libraries, and CA certificates. It is for where no registry is reachable.
func Base(ctx context.Context, path string) error {
	files, err := baseFiles(ctx)
	if err != nil {
		return err
	}
	return Write(path, Spec{Name: "dev.local/serin-base:1", Files: files, Cmd: []string{"/bin/sh"}, Env: []string{"PATH=" + usualPath}})
}

// Builder writes an archive of an image to build Serin in. It has no Go: that,
// and Go's caches, are mounted from the machine.
func Builder(ctx context.Context, path string) error {
	files, err := baseFiles(ctx)
	if err != nil {
		return err
	}
	return Write(path, Spec{Name: "dev.local/serin-builder:1", Files: files, Cmd: []string{"/bin/sh"}, Env: []string{
		"PATH=/usr/local/go/bin:" + usualPath, "GOCACHE=/go/cache", "GOMODCACHE=/go/pkg/mod", "HOME=/tmp",
	}})
}

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// baseFiles are those of [Base].
func baseFiles(ctx context.Context) ([]File, error) {
	busybox, busyboxErr := find("busybox", "busybox-static")
	curl, curlErr := find("curl", "curl")
	if err := errors.Join(busyboxErr, curlErr); err != nil {
		return nil, err
	}
	applets, err := appletFiles(ctx, busybox)
	if err != nil {
		return nil, err
	}
	libraries, err := libraryFiles(ctx, curl)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]File{
		{Path: "/bin/busybox", From: busybox},
		{Path: "/usr/bin/curl", From: curl},
		{Path: certificates, From: certificates},
		{Path: "/etc/passwd", Text: "root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n"},
		{Path: "/etc/group", Text: "root:x:0:\nnonroot:x:65532:\n"},
		{Path: "/etc/nsswitch.conf", Text: "hosts: files dns\n"},
		{Path: "/tmp", Mode: 0o777 | fs.ModeSticky},
	}, applets, libraries), nil
}

func find(program, debian string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%w; on Debian: apt-get install --no-install-recommends %s ca-certificates", err, debian)
	}
	return filepath.EvalSymlinks(path)
}

// appletFiles are the links by which a busybox knows what it is called for.
func appletFiles(ctx context.Context, busybox string) ([]File, error) {
	out, err := exec.CommandContext(ctx, busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("ask busybox what it can do: %w", err)
	}
	var links []File
	for name := range strings.FieldsSeq(string(out)) {
		// Debian's static one crashes in wget; there is curl.
		if name != "busybox" && name != "wget" {
			links = append(links, File{Path: "/bin/" + name, Link: "busybox"})
		}
	}
	return links, nil
}

// libraryPath finds in a line of ldd's the file that a name stands for.
var libraryPath = regexp.MustCompile(`(?:^|=> )\s*(/\S+) \(`)

// libraryFiles are the libraries of a program, and what loads them.
func libraryFiles(ctx context.Context, program string) ([]File, error) {
	out, err := exec.CommandContext(ctx, "ldd", program).Output()
	if err != nil {
		return nil, fmt.Errorf("ask for the libraries of %s: %w", program, err)
	}
	var files []File
	for line := range strings.Lines(string(out)) {
		match := libraryPath.FindStringSubmatch(strings.TrimSpace(line))
		if match == nil {
			continue // the kernel's own
		}
		real, err := filepath.EvalSymlinks(match[1])
		if err != nil {
			return nil, err
		}
		files = append(files, File{Path: match[1], From: real})
	}
	return files, nil
}
