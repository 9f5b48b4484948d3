// SPDX-License-Identifier: Apache-2.0

// Package demos lists the demo backends, in the order of the course.
package demos

import (
	"beltrace/demos/acceptqueue"
	"beltrace/demos/connectaccept"
	"beltrace/demos/demo"
	"beltrace/demos/execution"
	"beltrace/demos/http1"
	"beltrace/demos/nagle"
	"beltrace/demos/requestcost"
	"beltrace/demos/requestresponse"
	"beltrace/demos/socketbuffers"
	"beltrace/demos/synqueue"
)

// All returns every demo, by group.
func All() []demo.Demo {
	all := []demo.Demo{requestresponse.Demo(), http1.Demo()}
	all = append(all, execution.Demos()...)
	return append(all, connectaccept.Demo(), acceptqueue.Demo(), synqueue.Demo(),
		socketbuffers.Demo(), nagle.Demo(), requestcost.Demo())
}
