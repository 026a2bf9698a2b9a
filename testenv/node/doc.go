// Package node runs revisions as local processes.
//
// It is the place where a test environment stands in for what needs
// containers: kubelet, the Deployment controller and Knative's autoscaler. For
// each Revision it runs the user container's command as one process per wanted
// replica, with its ports replaced by free ones on loopback, and reports what
// is really so in the status of the Deployment and of the PodAutoscaler. A
// process that dies makes the Deployment unavailable and is started again
// after a pause that doubles, as in a crash loop. An image that is not in the
// catalogue never becomes ready.
//
// Of the autoscaler it plays one rule: a revision that no Route names any more
// is scaled to zero after a grace, and comes back when a Route names it again.
// A revision that is named keeps its initial scale.
package node
