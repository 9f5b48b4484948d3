// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package demotest

import "testing"

func noLeaks(*testing.T) {} // there is no /proc to count with
