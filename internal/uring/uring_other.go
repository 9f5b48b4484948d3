// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package uring

import (
	"errors"
	"unsafe"
)

const (
	registerFiles   = 0
	registerBufRing = 0
)

func setup(uint32, *params) (int, error) { return -1, errors.ErrUnsupported }

func enter(int, uint32, uint32, uint32) (int, error) { return 0, errors.ErrUnsupported }

func register(int, uint32, unsafe.Pointer, uint32) error { return errors.ErrUnsupported }

func mmap(int, int64, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func release(int, ...[]byte) error { return errors.ErrUnsupported }
