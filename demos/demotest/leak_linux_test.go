// SPDX-License-Identifier: Apache-2.0

package demotest

import (
	"testing"

	"beltrace/internal/testkit"
)

func noLeaks(t *testing.T) { testkit.NoLeaks(t) }
