// SPDX-License-Identifier: Apache-2.0

// Package demotest is the contract that every demo of demos.All keeps; the contract is its tests.
//
// A new demo needs no test for what stands here: that its lesson is complete, that its server starts, serves, stops and
// leaks nothing, that its client ends by itself and notes what it measured, and that no claim decides without evidence.
// What only a kernel can show, cmd/beltrace tests by running every demo in the real program.
package demotest
