package image

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Spec describes an image of one layer, for Linux on this machine's
// architecture.
type Spec struct {
	// Name is a reference with a tag.
	Name  string
	Files []File

	Entrypoint, Cmd, Env []string
	User, WorkingDir     string
}

// Write writes an image's archive to a path, whole or not at all.
func Write(path string, s Spec) error {
	if err := write(path, s); err != nil {
		return fmt.Errorf("make the image %s: %w", s.Name, err)
	}
	return nil
}

func write(path string, s Spec) error {
	tag, err := name.NewTag(s.Name, name.StrictValidation)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), ".image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	content := filepath.Join(folder, "layer.tar")
	if err := writeLayer(content, s.Files); err != nil {
		return err
	}
	layer, err := tarball.LayerFromFile(content)
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	if image, err = configure(image, s); err != nil {
		return err
	}
	whole := filepath.Join(folder, "image.tar")
	if err := tarball.WriteToFile(whole, tag, image); err != nil {
		return err
	}
	return os.Rename(whole, path)
}

func configure(image v1.Image, s Spec) (v1.Image, error) {
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{Entrypoint: s.Entrypoint, Cmd: s.Cmd, Env: s.Env, User: s.User, WorkingDir: s.WorkingDir}
	return mutate.ConfigFile(image, file)
}
