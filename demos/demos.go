// SPDX-License-Identifier: Apache-2.0

// Package demos lists the demo backends, in the order of the course.
package demos

import (
	"beltrace/demos/acceptqueue"
	"beltrace/demos/connectaccept"
	"beltrace/demos/demo"
	"beltrace/demos/requestresponse"
	"beltrace/demos/synqueue"
)

// All returns every demo, by group.
func All() []demo.Demo {
	return []demo.Demo{
		requestresponse.Demo(),
		connectaccept.Demo(),
		acceptqueue.Demo(),
		synqueue.Demo(),
	}
}
