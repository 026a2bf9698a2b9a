// Package v1beta1 is the Canary resource, flagger.app/v1beta1: its types,
// defaults and validation.
//
// The schema is a superset of Flagger's, so that an existing Canary file for
// Knative applies unchanged. Fields that mean nothing on Knative are accepted,
// kept and ignored; [Canary.Ignored] names them. Serin's own additions are
// load, judge, minSamples, watch and rollbackWindow in spec.analysis, quantile,
// baseline and includeColdStart of a metric, more names of metrics, and
// status.analysis. Those that this version cannot do are refused by
// [Canary.Validate].
//
// A cluster has one definition of Canaries, whoever they belong to. So ours
// accepts whatever Flagger's does, for all of its providers; its rules hold for
// those that are [Canary.Ours], and [Canary.Validate] finds what they let pass.
//
// The types hold durations as strings, as they were written, and parsing happens
// in [Canary.Validate] and in the accessors. What the types cannot hold at all,
// such as half a step, is left out while decoding, and refused by Validate: one
// Canary must not stop the daemon from reading all the others.
//
//	canary := &v1beta1.Canary{ … }
//	if err := canary.Validate(); err != nil { … }
//	interval := canary.Spec.Analysis.IntervalOrDefault() // 60s when not given
//
// The custom resource definition in chart/crds and the deepcopy functions are
// generated from this package by `make generate`.
//
// A metric's name says what it measures, a [Quantity]; [Metric.Quantity] reads
// it.
//
// Values of this package are plain data: they may be read concurrently and
// must be copied before they are changed.
//
// +kubebuilder:object:generate=true
// +groupName=flagger.app
package v1beta1
