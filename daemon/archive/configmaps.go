package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

const (
	// maxMap bounds a ConfigMap's pages together, compressed; Kubernetes takes
	// 1 MiB with all that is around them.
	maxMap = 900 << 10
	// maxPage bounds a page that is read, so that a ConfigMap that somebody
	// else has written takes no more memory than that.
	maxPage = 16 << 20

	nameSuffix = "-serin-reports"
	keySuffix  = ".html.gz"
)

// ConfigMaps keeps pages, compressed, in a ConfigMap NAME-serin-reports beside
// each Canary, which is deleted with it. What is there is written down in an
// annotation of the Canary ([Annotation]), so that who may write ConfigMaps, but
// not the Canary, cannot plant a page.
type ConfigMaps struct {
	// Client writes.
	Client client.Client
	// Reader reads from the API server: a cache would hold all ConfigMaps. Canaries
	// are read from Client, but for the write.
	Reader client.Reader
	// Keep is how many pages of a Canary are kept; at least one.
	Keep int
}

// Save keeps a page.
func (c ConfigMaps) Save(ctx context.Context, canary *v1beta1.Canary, id string, page []byte) error {
	compressed, err := compress(page)
	if err != nil {
		return err
	}
	if len(compressed) > maxMap {
		return fmt.Errorf("the report has %d KiB, and a ConfigMap takes %d: keep reports on a volume instead", len(compressed)>>10, maxMap>>10)
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error { return c.put(ctx, canary, id+keySuffix, compressed) })
}

func (c ConfigMaps) put(ctx context.Context, canary *v1beta1.Canary, key string, page []byte) error {
	live, err := c.live(ctx, canary)
	if err != nil {
		return err
	}
	shelf, err := c.read(ctx, client.ObjectKeyFromObject(canary))
	isNew := errors.Is(err, ErrNone)
	if err != nil && !isNew {
		return err
	}
	if isNew {
		shelf = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: canary.Namespace, Name: canary.Name + nameSuffix,
			Labels:          map[string]string{"app.kubernetes.io/managed-by": "serin"},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(canary, v1beta1.GroupVersion.WithKind("Canary"))},
		}}
	}
	if shelf.BinaryData == nil {
		shelf.BinaryData = make(map[string][]byte)
	}
	shelf.Data = nil // nothing of Serin's
	known := readChecksums(live)
	maps.DeleteFunc(shelf.BinaryData, func(key string, page []byte) bool { return !known.match(key, page) })
	shelf.BinaryData[key] = page
	c.tidy(shelf)
	// First, for a page without a checksum would not be shown.
	if err := c.note(ctx, live, checksumsOf(shelf.BinaryData)); err != nil {
		return err
	}
	if isNew {
		return c.Client.Create(ctx, shelf)
	}
	return c.Client.Update(ctx, shelf)
}

// tidy drops the oldest pages of too many or too much.
func (c ConfigMaps) tidy(shelf *corev1.ConfigMap) {
	size := 0
	for i, key := range slices.Backward(slices.Sorted(maps.Keys(shelf.BinaryData))) {
		size += len(shelf.BinaryData[key])
		if newer := len(shelf.BinaryData) - 1 - i; size > maxMap || newer >= c.Keep {
			delete(shelf.BinaryData, key)
		}
	}
}

// List returns the identifiers, newest first.
func (c ConfigMaps) List(ctx context.Context, canary types.NamespacedName) ([]string, error) {
	shelf, err := c.read(ctx, canary)
	if errors.Is(err, ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	canaryNow, err := c.canary(ctx, canary)
	if err != nil {
		return nil, err
	}
	known := readChecksums(canaryNow)
	var ids []string
	for _, key := range slices.Backward(slices.Sorted(maps.Keys(shelf.BinaryData))) {
		if id, ok := strings.CutSuffix(key, keySuffix); ok && known.match(key, shelf.BinaryData[key]) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Open returns a page.
func (c ConfigMaps) Open(ctx context.Context, canary types.NamespacedName, id string) (io.ReadCloser, error) {
	shelf, err := c.read(ctx, canary)
	if err != nil {
		return nil, err
	}
	compressed, ok := shelf.BinaryData[id+keySuffix]
	if !ok {
		return nil, ErrNone
	}
	now, err := c.canary(ctx, canary)
	if err != nil {
		return nil, err
	}
	if !readChecksums(now).match(id+keySuffix, compressed) {
		return nil, ErrPlanted
	}
	return decompress(compressed)
}

// canary reads a Canary from the cache.
func (c ConfigMaps) canary(ctx context.Context, key types.NamespacedName) (*v1beta1.Canary, error) {
	canary := new(v1beta1.Canary)
	if err := c.Client.Get(ctx, key, canary); err != nil {
		return nil, fmt.Errorf("read canary %s for the checksums of its reports: %w", key, err)
	}
	return canary, nil
}

func (c ConfigMaps) read(ctx context.Context, canary types.NamespacedName) (*corev1.ConfigMap, error) {
	key := types.NamespacedName{Namespace: canary.Namespace, Name: canary.Name + nameSuffix}
	shelf := new(corev1.ConfigMap)
	err := c.Reader.Get(ctx, key, shelf)
	if apierrors.IsNotFound(err) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap %s: %w", key, err)
	}
	return shelf, nil
}

func compress(page []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(page)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// decompress returns what is read of a page while it is decompressed.
func decompress(compressed []byte) (io.ReadCloser, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("the report is damaged: %w", err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, maxPage), r}, nil
}
