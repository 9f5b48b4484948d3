// SPDX-License-Identifier: Apache-2.0

// Package demo is the contract between a demo backend and the program that runs and watches it.
//
// A demo is a small real server, a real client, a lesson, and claims: sentences of the lesson that are proven while it
// runs by what the kernel was seen to do. Server and Client run in processes of their own; neither knows the collector.
package demo

import (
	"context"
	"log"
	"net"
	"time"

	"beltrace/collector/model"
)

// Groups of demos, in the order of the course.
const (
	Patterns  = "patterns"
	Protocols = "protocols"
	Execution = "execution"
	Kernel    = "kernel"
	Proxies   = "proxies"
)

// Demo is one demo backend.
type Demo struct {
	Name    string
	Group   string
	Summary string // one line for the list
	// Server serves until ctx is done. It listens through env.Listen only, and logs through env.Log.
	Server func(ctx context.Context, env *Env) error
	// Client drives the server that env.Addr names and returns when its run is over: a bounded number of requests.
	Client func(ctx context.Context, env *Env) error
	Lesson Lesson
}

// Env is what the runner gives to a demo's server and client.
type Env struct {
	// Listen opens a TCP listener on loopback and tells the runner its address. Backlog 0 is the system's default.
	Listen func(ctx context.Context, backlog int) (net.Listener, error)
	// Addr is the server's address, for the client.
	Addr string
	// Step tells the runner that the client begins step n (from 0) of the lesson.
	Step func(n int)
	// Note records a number that the program itself measured, to be compared with what the kernel saw.
	Note func(name string, value float64)
	Log  *log.Logger
	// Args are passed through from the command line after the demo's name.
	Args []string
}

// Lesson is what a demo teaches.
type Lesson struct {
	Title string
	Steps []Step
}

// Step is one page of a lesson.
type Step struct {
	Title string
	Text  string
	// Page is the dashboard's page that shows it: overview, listeners, connections, events.
	Page   string
	Claims []Claim
}

// Claim is a sentence of a lesson, proven live by kernel evidence.
type Claim struct {
	Text string
	// Needs are the facts (of package probes) without which a kernel cannot prove it.
	Needs []string
	// Check looks at what was seen so far. It must not return Proven before the evidence is complete.
	Check func(Seen) Verdict
}

// Seen is the evidence that a claim may use.
type Seen struct {
	*model.Snapshot
	Server Party              // the demo's server
	Client Party              // the demo's client
	Steps  []int64            // CLOCK_MONOTONIC ns at which the client began each step
	Notes  map[string]float64 // what the programs measured themselves
	Done   bool               // the client has ended and its last events have been read
}

// Party is one of a demo's processes.
type Party struct {
	PID  uint32
	Addr string // where the server listens, "ip:port"
}

// State is how far a claim is.
type State string

// The states of a claim.
const (
	Waiting  State = "waiting"  // evidence is not complete yet
	Proven   State = "ok"       // the kernel was seen to do it
	Refuted  State = "failed"   // the kernel was seen not to do it
	Unproven State = "unproven" // this kernel does not let us see it
)

// Verdict is the answer of a claim's check.
type Verdict struct {
	State    State
	Evidence map[string]any // the numbers that decide it, by snapshot names
	Why      string         // for Refuted and Unproven
}

// Timeout is how long a client's run may take before the runner gives up.
const Timeout = 60 * time.Second
