package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Annotation of a Canary holds the checksums of its reports: ID=SHA256,..., of
// what is in the ConfigMap, in hexadecimal digits. Who may write it may command
// the Canary anyway.
const Annotation = "serin.dev/reports"

// checksums are those of pages, by their key in the ConfigMap.
type checksums map[string][sha256.Size]byte

func checksumsOf(pages map[string][]byte) checksums {
	sums := make(checksums, len(pages))
	for key, page := range pages {
		sums[key] = sha256.Sum256(page)
	}
	return sums
}

// readChecksums reads an annotation. What is no checksum is none.
func readChecksums(canary *v1beta1.Canary) checksums {
	sums := make(checksums)
	for entry := range strings.SplitSeq(canary.Annotations[Annotation], ",") {
		id, digits, _ := strings.Cut(entry, "=")
		if sum, err := hex.DecodeString(digits); err == nil && len(sum) == sha256.Size {
			sums[id+keySuffix] = [sha256.Size]byte(sum)
		}
	}
	return sums
}

// String is the annotation, in order.
func (c checksums) String() string {
	var entries []string
	for _, key := range slices.Sorted(maps.Keys(c)) {
		entries = append(entries, fmt.Sprintf("%s=%x", strings.TrimSuffix(key, keySuffix), c[key]))
	}
	return strings.Join(entries, ",")
}

// match reports whether a page is the one that was kept.
func (c checksums) match(key string, page []byte) bool {
	sum, ok := c[key]
	return ok && sum == sha256.Sum256(page)
}

// live reads from the API server the Canary that a page is about.
func (c ConfigMaps) live(ctx context.Context, canary *v1beta1.Canary) (*v1beta1.Canary, error) {
	live := new(v1beta1.Canary)
	if err := c.Reader.Get(ctx, client.ObjectKeyFromObject(canary), live); err != nil {
		return nil, fmt.Errorf("read canary %s/%s, to note its report: %w", canary.Namespace, canary.Name, err)
	}
	if live.UID != canary.UID {
		return nil, fmt.Errorf("canary %s/%s is another one by now: the report goes with the old one", canary.Namespace, canary.Name)
	}
	return live, nil
}

// note writes checksums down, unless the Canary has changed since it was read.
func (c ConfigMaps) note(ctx context.Context, live *v1beta1.Canary, sums checksums) error {
	if live.Annotations[Annotation] == sums.String() {
		return nil
	}
	noted := live.DeepCopy()
	if noted.Annotations == nil {
		noted.Annotations = make(map[string]string)
	}
	noted.Annotations[Annotation] = sums.String()
	patch := client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{})
	if err := c.Client.Patch(ctx, noted, patch); err != nil {
		return fmt.Errorf("note the report of canary %s/%s: %w", live.Namespace, live.Name, err)
	}
	return nil
}
