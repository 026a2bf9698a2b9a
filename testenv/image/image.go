package image

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

type Spec struct {
	Name                 string
	Files                []File
	Entrypoint, Cmd, Env []string
	User, WorkingDir     string
}
type File struct {
	Path, From, Link, Text string
	Mode                   fs.FileMode
}

func Write(ctx context.Context, to string, s Spec) error {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range s.Files {
		if f.From == "" {
			_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: f.Path[1:] + "/", Mode: 0o1777})
			continue
		}
		c, err := os.ReadFile(f.From)
		if err != nil {
			return err
		}
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path.Dir(f.Path)[1:] + "/", Mode: 0o755})
		_ = w.WriteHeader(&tar.Header{Name: f.Path[1:], Mode: 0o755, Size: int64(len(c))})
		_, _ = w.Write(c)
	}
	_ = w.Close()
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		return err
	}
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		return err
	}
	cf, _ := img.ConfigFile()
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture = "linux", runtime.GOARCH
	if img, err = mutate.ConfigFile(img, cf); err != nil {
		return err
	}
	img, err = mutate.Config(img, v1.Config{Entrypoint: s.Entrypoint, Cmd: s.Cmd, Env: s.Env, User: s.User, WorkingDir: s.WorkingDir})
	if err != nil {
		return err
	}
	ref, err := name.NewTag(s.Name)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(to, ref, img)
}
