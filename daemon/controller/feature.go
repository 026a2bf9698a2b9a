package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

const (
	featuresName     = "config-features"
	tagHeaderFeature = "tag-header-based-routing"
)

// featureAgain is when to look again for a feature that was off: nobody tells
// when it is turned on.
const featureAgain = 15 * time.Second

// tagHeader says why users cannot be routed by a header, if a Canary asks for
// that.
func (r *Reconciler) tagHeader(ctx context.Context, canary *v1beta1.Canary) (problem string) {
	if len(canary.Spec.Analysis.Match) == 0 {
		return ""
	}
	features := types.NamespacedName{Namespace: r.KnativeNamespace, Name: featuresName}
	config := new(corev1.ConfigMap)
	if err := r.Live.Get(ctx, features, config); err != nil {
		return fmt.Sprintf("spec.analysis.match needs Knative's feature %s, and whether it is on cannot be told: %v", tagHeaderFeature, err)
	}
	if !strings.EqualFold(config.Data[tagHeaderFeature], "enabled") {
		return fmt.Sprintf("spec.analysis.match needs Knative's feature %s: set it to enabled in ConfigMap %s", tagHeaderFeature, features)
	}
	return ""
}
