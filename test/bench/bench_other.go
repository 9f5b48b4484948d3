// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"context"
	"errors"
	"runtime"
)

func play(context.Context, []string) error { return errNoRole }

func bench(context.Context, options) error {
	return errors.New(runtime.GOOS + " has no Linux kernel to measure")
}
