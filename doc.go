// SPDX-License-Identifier: Apache-2.0

// Package beltrace shows what the kernel does for a backend while clients talk to it. This package holds no code, only
// this drawing and the tests that keep the tree in its shape:
//
//	kernel                      │ user space
//	                            │
//	hooks ─▶ bpf/ programs ─▶ ring buffer ─▶ collector/live ─▶ event.Event ─┬─▶ collector ─▶ model.Snapshot ─┬─▶ tui
//	         (filter, stamp,    │            (decode)            ▲          │   (one state machine           ├─▶ plain, JSON
//	          aggregate)        │                                │          │    per connection,             └─▶ reports
//	         maps ──────────────┼─▶ collector/live (1 Hz) ───────┤          │    listener)
//	                            │                                │          │
//	recording file (NDJSON) ────┼─▶ collector/record ────────────┤          └─▶ trace lines, recordings
//	demo servers' marks ────────┼─▶ (uprobe, same ring) ─────────┘
//
// Data moves one way, left to right. One event schema serves live, record, replay, trace and tests. Everything right of
// event.Event is pure Go without privileges and runs on macOS too. cmd/beltrace ties the parts together; collector/probes
// is the table of what is asked from the kernel; demos are small backends to look at; test/vm boots the kernels.
package beltrace
