//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/serin-dev/serin/testenv/image"
)

// Images of what has no others. Knative does not ask a registry for what is in
// dev.local.
const (
	pauseImage   = "dev.local/pause:1"
	corednsImage = "dev.local/coredns:1"
	ingressImage = "dev.local/ingress:1"
)

// podinfoImages are the names under which the one podinfo is loaded: what the
// guide rolls out.
var podinfoImages = []string{"ghcr.io/stefanprodan/podinfo:6.0.0", "ghcr.io/stefanprodan/podinfo:6.0.1", "ghcr.io/stefanprodan/podinfo:6.0.2", "ghcr.io/stefanprodan/podinfo:6.0.3"}

// nonroot is the user that containers have.
const nonroot = "65532"

// binaryImage is an image with one static program.
type binaryImage struct {
	name    string
	program string // on this machine
	path    string // in the image
	env     []string
	user    string
}

func (p *plan) images() []binaryImage {
	all := []binaryImage{
		{name: pauseImage, program: filepath.Join(p.Bin, "pause"), path: "/pause", user: nonroot},
		// Its port is below 1024.
		{name: corednsImage, program: p.Programs.CoreDNS, path: "/coredns", user: "0"},
		{name: ingressImage, program: filepath.Join(p.Bin, "ingress"), path: "/ingress", user: nonroot},
		{name: podinfoImages[0], program: p.Programs.Podinfo, path: "/home/app/podinfo", user: nonroot},
	}
	for name, program := range p.knativePrograms() {
		all = append(all, binaryImage{
			name: p.knativeImage(name), program: program, path: "/ko-app/" + name, user: nonroot,
			env: []string{"PATH=/ko-app", "KO_DATA_PATH=/var/run/ko"}, // as its own build sets them
		})
	}
	return all
}

// knativePrograms are Knative's, by the name that its manifests call them.
func (p *plan) knativePrograms() map[string]string {
	return map[string]string{
		"activator": p.Programs.Activator, "autoscaler": p.Programs.Autoscaler, "controller": p.Programs.Controller,
		"queue": p.Programs.Queue, "webhook": p.Programs.Webhook,
	}
}

func (p *plan) knativeImage(name string) string {
	return "dev.local/knative/" + name + ":" + p.Knative
}

// writeImages writes the archives that are older than the programs in them,
// and returns the paths of all.
func (p *plan) writeImages(ctx context.Context, folder string) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	var paths []string
	for _, i := range p.images() {
		path := filepath.Join(folder, fileName(i.name)+".tar")
		paths = append(paths, path)
		fresh, err := newer(path, i.program)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		if fresh {
			continue
		}
		err = image.Write(path, image.Spec{
			Name: i.name, Entrypoint: []string{i.path}, Env: i.env, User: i.user, WorkingDir: filepath.Dir(i.path),
			Files: []image.File{{Path: i.path, From: i.program, Mode: 0o755}, {Path: "/var/run/ko"}, {Path: "/tmp", Mode: 0o777 | os.ModeSticky}},
		})
		if err != nil {
			return nil, fmt.Errorf("make the image %s: %w", i.name, err)
		}
	}
	return paths, nil
}

func newer(path, than string) (bool, error) {
	original, err := os.Stat(than)
	if err != nil {
		return false, fmt.Errorf("%w; `make build` builds it", err)
	}
	made, err := os.Stat(path)
	return err == nil && made.ModTime().After(original.ModTime()), nil
}

// load imports archives into containerd.
func (s state) load(ctx context.Context, archives []string) error {
	for _, path := range archives {
		if err := s.ctr(ctx, "images", "import", path); err != nil {
			return fmt.Errorf("load %s: %w", path, err)
		}
	}
	return nil
}

// loadAll loads what the plan has.
func (n *node) loadAll(ctx context.Context) error {
	if err := n.State.load(ctx, n.Images); err != nil {
		return err
	}
	for _, name := range podinfoImages[1:] {
		if err := n.State.ctr(ctx, "images", "tag", podinfoImages[0], name); err != nil {
			return err
		}
	}
	return nil
}

// ctr runs containerd's own client where kubelet sees what it does.
func (s state) ctr(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "ctr", append([]string{"-a", s.containerd(), "-n", "k8s.io"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %s: %w: %s", args[0], err, out)
	}
	return nil
}

// fileName is an image's name as that of a file.
func fileName(image string) string {
	return strings.NewReplacer("/", "-", ":", "-").Replace(image)
}
