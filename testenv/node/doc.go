// Package node runs revisions as local processes.
//
// It is the place where a test environment stands in for what needs
// containers: kubelet, the Deployment controller and Knative's autoscaler. For
// each Revision it runs the user container's command as one process per wanted
// replica, with its ports replaced by free ones on loopback, and reports what
// is really so: in Pod objects, in the status of the Deployment, and in that of
// the PodAutoscaler. Knative's controller then does with them what it does on a
// cluster, so that a Revision says why its container does not come up.
//
// A process that dies makes the Deployment unavailable and is started again
// after a pause that doubles, as in a crash loop. An image that is not in the
// catalogue never becomes ready. A Deployment that has never been complete
// fails when its progress deadline has passed.
//
// Of the autoscaler it plays one rule: a revision that no Route names any more
// is scaled to zero after a grace, and comes back when a Route names it again.
// A revision that is named keeps its minimal or initial scale.
//
//	n := node.New(node.Config{Watchdog: watchdog, Dir: dir, Catalogue: node.Catalogue{"podinfo": {Path: podinfo}}})
//	(&node.Reconciler{Client: c, Node: n, Grace: 10 * time.Second}).Setup(manager)
//	n.Run(ctx) // until ctx ends; then every process has ended
//	n.Endpoints("test", "podinfo-00001") // 127.0.0.1:41234
//
// The methods of [Node] may be called from any goroutine.
package node
