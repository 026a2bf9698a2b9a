package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

const fileSuffix = ".html"

// Folder keeps pages as files NAMESPACE/NAME/ID.html below a folder, such as
// that of a volume.
type Folder struct {
	// Root holds them; no name leads out of it.
	Root *os.Root
	// Keep is how many pages of a Canary are kept; at least one.
	Keep int
}

// Save keeps a page. A page is there whole or not at all.
func (f Folder) Save(_ context.Context, canary *v1beta1.Canary, id string, page []byte) error {
	folder := filepath.Join(canary.Namespace, canary.Name)
	if err := f.Root.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	name := filepath.Join(folder, id+fileSuffix)
	if err := f.Root.WriteFile(name+".new", page, 0o644); err != nil {
		return err
	}
	if err := f.Root.Rename(name+".new", name); err != nil {
		return err
	}
	ids, err := f.list(folder)
	if err != nil || len(ids) <= f.Keep {
		return err
	}
	var errs []error
	for _, old := range ids[f.Keep:] {
		errs = append(errs, f.Root.Remove(filepath.Join(folder, old+fileSuffix)))
	}
	return errors.Join(errs...)
}

// List returns the identifiers, newest first.
func (f Folder) List(_ context.Context, canary types.NamespacedName) ([]string, error) {
	return f.list(filepath.Join(canary.Namespace, canary.Name))
}

func (f Folder) list(folder string) ([]string, error) {
	entries, err := fs.ReadDir(f.Root.FS(), filepath.ToSlash(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range slices.Backward(entries) { // in order of their names
		if id, ok := strings.CutSuffix(e.Name(), fileSuffix); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Open returns a page. Who may write to the folder may put any there.
func (f Folder) Open(_ context.Context, canary types.NamespacedName, id string) (io.ReadCloser, error) {
	if strings.ContainsAny(id, `/\`) {
		return nil, ErrNone
	}
	page, err := f.Root.Open(filepath.Join(canary.Namespace, canary.Name, id+fileSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	return page, nil
}
