package daemon_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

// guideCanary is a good Canary, to be spoilt.
const guideCanary = `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: podinfo}
spec:
  provider: knative
  targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: podinfo}
  progressDeadlineSeconds: 60
  analysis:
    interval: 15s
    threshold: 15
    maxWeight: 50
    stepWeight: 10
    metrics:
      - {name: request-success-rate, thresholdRange: {min: 99}, interval: 1m}
`

// What kubectl apply says comes from the definition in chart/crds alone.
func TestKubectlApplySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	namespace := env.Namespace(t)
	for _, tc := range []struct{ name, from, to, want string }{
		{"no step", "    stepWeight: 10\n", "", "exactly one of stepWeight, stepWeights and iterations"},
		{"two kinds of step", "stepWeight: 10", "stepWeight: 10\n    iterations: 3", "exactly one of stepWeight, stepWeights and iterations"},
		{"weights and a step", "stepWeight: 10", "stepWeight: 10\n    stepWeights: [1, 2]", "exactly one of stepWeight, stepWeights and iterations"},
		{"weight over 100", "maxWeight: 50", "maxWeight: 101", "maxWeight must be a whole number from 1 to 100"},
		{"step over 100", "stepWeight: 10", "stepWeight: 101", "stepWeight must be a whole number from 1 to 100"},
		{"one of the weights over 100", "stepWeight: 10", "stepWeights: [10, 200]", "stepWeights must be 1 to 100 numbers from 0 to 100"},
		{"step of nothing", "stepWeight: 10", "stepWeight: 0", "stepWeight must be a whole number from 1 to 100"},
		{"interval without unit", "interval: 15s", "interval: '15'", "must be a duration such as 15s, 1m or 1m30s"},
		{"interval in words", "interval: 15s", "interval: soon", "must be a duration such as 15s, 1m or 1m30s"},
		{"no target", "name: podinfo}\n  progress", "}\n  progress", "targetRef.name"},
		{"threshold in words", "threshold: 15", "threshold: many", "must be of type number"},
		{"webhook type", "stepWeight: 10", "stepWeight: 10\n    webhooks: [{name: a, url: 'http://a', type: sometimes}]", "Unsupported value: \"sometimes\""},
		{"load path", "stepWeight: 10", "stepWeight: 10\n    load: {requests: [{path: x}]}", "path must start with /"},
		{"expected status", "stepWeight: 10", "stepWeight: 10\n    load: {requests: [{expect: {status: [2xx]}}]}", "must be a status code such as 204 or a range such as 200-399"},
		{"quantile", "{name: request-success-rate,", "{name: request-duration, quantile: 1,", "should be less than 1"},
		{"judge mode", "stepWeight: 10", "stepWeight: 10\n    judge: {mode: coin}", "Unsupported value: \"coin\""},
		{"load rate", "stepWeight: 10", "stepWeight: 10\n    load: {rate: 1000000}", "should be less than or equal to 100000"},
	} {
		if !strings.Contains(guideCanary, tc.from) {
			t.Fatalf("%s: %q is not in the Canary", tc.name, tc.from)
		}
		err := apply(t, namespace, strings.Replace(guideCanary, tc.from, tc.to, 1))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	if err := apply(t, namespace, guideCanary); err != nil {
		t.Errorf("the guide's Canary is refused: %v", err)
	}
}

// judged is a Canary up to where it says how it is judged.
const judged = `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {generateName: judged-}
spec:
  targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: podinfo}
  analysis:
    stepWeight: 10
    `

// What is wrong with a judge and its metrics is said by the definition, and by
// the daemon where the definition is Flagger's.
func TestKubectlApplySaysWhatAJudgeCannotBeTold(t *testing.T) {
	t.Parallel()
	namespace := env.Namespace(t)
	const exactlyOne = "exactly one of maxIncrease, maxDecrease and maxDelta"
	good := "\n    metrics: [{name: error-rate, thresholdRange: {max: 1}}]"
	for _, tc := range []struct{ name, analysis, want string }{
		{"error rate of nothing", "judge: {mode: sequential, errorRate: 0}" + good, "should be greater than 0"},
		{"a coin's error rate", "judge: {mode: sequential, errorRate: 0.51}" + good, "should be less than or equal to 0.5"},
		{"less power than a coin", "judge: {mode: sequential, power: 0.49}" + good, "should be greater than or equal to 0.5"},
		{"power of certainty", "judge: {mode: sequential, power: 1}" + good, "should be less than 1"},
		{"duration in words", "judge: {mode: sequential, maxDuration: long}" + good, "must be a duration such as 15s, 1m or 1m30s"},
		{"duration below the interval", "interval: 15s\n    judge: {mode: sequential, maxDuration: 14s}" + good, "judge.maxDuration must not be shorter than interval"},
		{"duration below the default interval", "judge: {mode: sequential, maxDuration: 59s}" + good, "judge.maxDuration must not be shorter than interval"},
		{"duration below the least interval", "interval: 10ms\n    judge: {mode: sequential, maxDuration: 900ms}" + good, "judge.maxDuration must not be shorter than interval"},
		{"error rate without mode", "judge: {errorRate: 0.01}" + good, "judge.errorRate needs judge.mode: sequential"},
		{"error rate in classic", "judge: {mode: classic, errorRate: 0.01}" + good, "judge.errorRate needs judge.mode: sequential"},
		{"power without mode", "judge: {power: 0.9}" + good, "judge.power needs judge.mode: sequential"},
		{"power in classic", "judge: {mode: classic, power: 0.9}" + good, "judge.power needs judge.mode: sequential"},
		{"duration without mode", "judge: {maxDuration: 5m}" + good, "judge.maxDuration needs judge.mode: sequential"},
		{"duration in classic", "judge: {mode: classic, maxDuration: 5m}" + good, "judge.maxDuration needs judge.mode: sequential"},
		{"no metrics", "judge: {mode: sequential}", "sequential needs a metric with a thresholdRange or a baseline: nothing would be judged"},
		{"empty metrics", "judge: {mode: sequential}\n    metrics: []", "nothing would be judged"},
		{"metrics without threshold", "judge: {mode: sequential}\n    metrics: [{name: error-rate}, {name: latency-p99, thresholdRange: {}}]", "nothing would be judged"},
		{"two minimums", "minSamples: 20\n    judge: {minSamples: 30}" + good, "give one of them"},
		{"minimum of nothing", "judge: {minSamples: 0}" + good, "should be greater than or equal to 1"},
		{"other minimum of nothing", "minSamples: 0" + good, "should be greater than or equal to 1"},
		{"quantile elsewhere", "metrics: [{name: latency-p99, quantile: 0.95}]", "quantile is for request-duration"},
		{"range upside down", "metrics: [{name: error-rate, thresholdRange: {min: 2, max: 1}}]", "thresholdRange.min must not be above max"},
		{"baseline of nothing", "metrics: [{name: error-rate, baseline: {}}]", exactlyOne},
		{"two baselines", "metrics: [{name: error-rate, baseline: {maxIncrease: 10%, maxDelta: 1}}]", exactlyOne},
		{"two other baselines", "metrics: [{name: throughput, baseline: {maxDecrease: 10%, maxDelta: 1}}]", exactlyOne},
		{"a latency that must not fall", "metrics: [{name: latency-p99, baseline: {maxDecrease: 10%}}]", "use maxIncrease or maxDelta"},
		{"a success rate that must not rise", "metrics: [{name: request-success-rate, baseline: {maxIncrease: 10%}}]", "use maxDecrease or maxDelta"},
		{"a throughput that must not rise", "metrics: [{name: throughput, baseline: {maxIncrease: 10%}}]", "use maxDecrease or maxDelta"},
		{"increase without sign", "metrics: [{name: error-rate, baseline: {maxIncrease: '10'}}]", "must be a percentage such as 10% or 2.5%"},
		{"increase below zero", "metrics: [{name: error-rate, baseline: {maxIncrease: -1%}}]", "must be a percentage such as 10% or 2.5%"},
		{"decrease in words", "metrics: [{name: throughput, baseline: {maxDecrease: much%}}]", "must be a percentage such as 10% or 2.5%"},
		{"decrease below nothing", "metrics: [{name: throughput, baseline: {maxDecrease: 100.1%}}]", "maxDecrease must be at most 100%"},
		{"delta below zero", "metrics: [{name: error-rate, baseline: {maxDelta: -1}}]", "should be greater than or equal to 0"},
	} {
		err := apply(t, namespace, judged+tc.analysis)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if err := decode(t, judged+tc.analysis).Validate(); err == nil {
			t.Errorf("%s: the daemon accepts what the definition refuses", tc.name)
		}
	}
	for _, analysis := range []string{
		"judge: {}",
		"judge: {mode: classic, minSamples: 30}",
		"minSamples: 30\n    judge: {mode: '', minSamples: 30}" + good,
		"judge: {mode: sequential}" + good,
		"judge: {mode: sequential, errorRate: 0.5, power: 0.5, minSamples: 1, maxDuration: 1m}" + good,
		"interval: 15s\n    judge: {mode: sequential, maxDuration: 15s}" + good,
		"judge: {mode: sequential}\n    metrics: [{name: request-success-rate, threshold: 99}]",
		"judge: {mode: sequential}\n    metrics: [{name: error-rate}, {name: throughput, baseline: {maxDecrease: 100%}}]",
		"metrics: [{name: error-rate-timeout, baseline: {maxIncrease: 0%}}, {name: latency-mean, baseline: {maxIncrease: 250.5%}}]",
		"metrics: [{name: latency-p9999, thresholdRange: {min: 1, max: 1}, baseline: {maxDelta: 0}, includeColdStart: true}]",
		"metrics: [{name: request-success-rate, baseline: {maxDelta: 0.5}}, {name: request-duration, quantile: 0.9, baseline: {maxIncrease: 2.5%}}]",
	} {
		if err := apply(t, namespace, judged+analysis); err != nil {
			t.Errorf("%s: %v", analysis, err)
		}
		if err := decode(t, judged+analysis).Validate(); err != nil {
			t.Errorf("%s: the daemon refuses what the definition accepts: %v", analysis, err)
		}
	}
}

func decode(t *testing.T, text string) *v1beta1.Canary {
	t.Helper()
	canary := new(v1beta1.Canary)
	if err := yaml.Unmarshal([]byte(text), canary); err != nil {
		t.Fatal(err)
	}
	return canary
}

// Every field of Flagger's schema, as its documentation has them, and Serin's
// additions.
const everything = `
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: everything}
spec:
  targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: podinfo}
  metricsServer: http://prometheus:9090
  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: podinfo, primaryScalerReplicas: {minReplicas: 2}}
  ingressRef: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: podinfo}
  routeRef: {apiVersion: v1, kind: Route, name: podinfo}
  upstreamRef: {apiVersion: gloo.solo.io/v1, kind: Upstream, name: podinfo}
  service: {port: 9898, targetPort: http, gateways: [mesh], retries: {attempts: 3}, headers: {request: {add: {x-a: b}}}}
  skipAnalysis: false
  revertOnDeletion: true
  suspend: false
  analysis:
    interval: 1m
    threshold: 10
    stepWeights: [1, 5, 20, 80]
    stepWeightPromotion: 50
    minSamples: 30
    judge: {mode: sequential, errorRate: 0.01, power: 0.9, minSamples: 30, maxDuration: 5m}
    watch: {duration: 10m}
    rollbackWindow: 1h
    load:
      rate: 50
      protocol: grpc
      timeout: 5s
      connections: 64
      warmup: 5s
      requests:
        - {method: GET, path: /api/info, headers: {X-Test: "1"}, body: "", weight: 1, expect: {status: ["200-399"], bodyContains: a}}
    mirror: true
    mirrorWeight: 100
    primaryReadyThreshold: 60
    canaryReadyThreshold: 60
    match:
      - headers: {x-canary: {exact: insider}, cookie: {regex: "^(.*?;)?(canary=always)(;.*)?$"}}
        queryParams: {user: {prefix: a}}
        sourceLabels: {app: b}
    metrics:
      - {name: request-success-rate, threshold: 99, interval: 30s}
      - {name: request-duration, quantile: 0.95, includeColdStart: true, thresholdRange: {max: 500}, baseline: {maxIncrease: 10%}}
      - {name: request-success-rate, baseline: {maxDecrease: 5%}}
      - {name: error-rate-timeout, baseline: {maxDelta: 3}}
      - {name: latency, templateRef: {name: latency, namespace: flagger}, thresholdRange: {min: 0.5, max: 500}, templateVariables: {a: b}, query: up}
    alerts:
      - {name: ops, severity: error, providerRef: {name: slack, namespace: flagger}}
    webhooks:
      - {name: gate, type: confirm-rollout, url: "http://gate", muteAlert: true, timeout: 5s, retries: 3, disableTLS: true, metadata: {a: b}}
    sessionAffinity: {cookieName: flagger, primaryCookieName: p, domain: d, httpOnly: true, maxAge: 10, partitioned: true, path: /, sameSite: Lax, secure: true}
`

func TestEveryFieldOfTheSchemaIsKept(t *testing.T) {
	t.Parallel()
	namespace := env.Namespace(t)
	if err := apply(t, namespace, everything); err != nil {
		t.Fatal(err)
	}
	kept := new(unstructured.Unstructured)
	kept.SetGroupVersionKind(v1beta1.GroupVersion.WithKind("Canary"))
	kept.SetNamespace(namespace)
	kept.SetName("everything")
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(kept), kept); err != nil {
		t.Fatal(err)
	}
	var written map[string]any
	if err := yaml.Unmarshal([]byte(everything), &written); err != nil {
		t.Fatal(err)
	}
	for _, lost := range missing("spec", written["spec"], kept.Object["spec"]) {
		t.Errorf("%s is lost", lost)
	}
	// And it decodes, with what it cannot do named.
	canary := decode(t, everything)
	if got := canary.Ignored(); len(got) != 12 {
		t.Errorf("%d fields are named as ignored, want 12: %v", len(got), got)
	}
	err := canary.Validate()
	for _, want := range []string{"spec.analysis.match", "metrics[4] (latency) asks a metrics server", "spec.analysis.load.protocol is not"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("validation says %v, want %q in it", err, want)
		}
	}
	for _, supported := range []string{"judge", "baseline", "metrics[1]", "watch", "rollbackWindow", "webhooks"} {
		if strings.Contains(err.Error(), supported) {
			t.Errorf("validation says %v, want no %q in it", err, supported)
		}
	}
}

func apply(t *testing.T, namespace, canary string) error {
	t.Helper()
	object := new(unstructured.Unstructured)
	if err := yaml.Unmarshal([]byte(canary), object); err != nil {
		t.Fatal(err)
	}
	object.SetNamespace(namespace)
	return env.Client.Create(t.Context(), object)
}

// missing lists the paths of what was written and is not there.
func missing(path string, written, kept any) []string {
	switch w := written.(type) {
	case map[string]any:
		k, ok := kept.(map[string]any)
		if !ok {
			return []string{path}
		}
		var lost []string
		for name, value := range w {
			if found, ok := k[name]; ok {
				lost = append(lost, missing(path+"."+name, value, found)...)
			} else {
				lost = append(lost, path+"."+name)
			}
		}
		return lost
	case []any:
		k, ok := kept.([]any)
		if !ok || len(k) != len(w) {
			return []string{path}
		}
		var lost []string
		for i := range w {
			lost = append(lost, missing(path, w[i], k[i])...)
		}
		return lost
	}
	return nil
}
