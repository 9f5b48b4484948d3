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
	"os"
	"os/exec"
	"time"
)

// Groups of demos, in the order of the course.
const (
	Patterns  = "patterns"
	Protocols = "protocols"
	Execution = "execution"
	Kernel    = "kernel"
	Proxies   = "proxies"
)

// Groups returns the groups in the order of the course.
func Groups() []string { return []string{Patterns, Protocols, Execution, Kernel, Proxies} }

// Timeout is how long a client's run may take before the runner gives up.
const Timeout = 60 * time.Second

// Demo is one demo backend.
type Demo struct {
	Name    string
	Group   string
	Summary string // one line for the list
	// Server serves until ctx is done, and returns nil then. It listens through env.Listen or env.Open only, and logs through env.Log.
	Server func(ctx context.Context, env *Env) error
	// Client drives the server that env.Addr names and returns when its run is over: a bounded number of requests.
	// It may be run again while the server goes on.
	Client func(ctx context.Context, env *Env) error
	// Worker runs in each process that the server has started with Env.Self: a server of several processes. ln is the first
	// of that command's ExtraFiles. It serves until ctx is done, which is when its standard input ends.
	Worker func(ctx context.Context, env *Env, ln *os.File) error
	// Missing says what this system lacks to run the demo, nil if nothing. nil: every system has all.
	Missing func() error
	// OwnSpace: server and client run in a network namespace of their own, with nothing but loopback in it, so that the
	// client can set what bounds a queue (Env.Sysctl) without touching the machine. Without privileges (demo --serve-only)
	// there is none.
	OwnSpace bool
	// Measure sums a run up, to be compared with the other demos of its group, which do the same work. nil: there is nothing
	// to compare with.
	Measure func(Seen) Measures
	Lesson  Lesson
}

// Env is what the runner gives to a demo's server and client.
type Env struct {
	// Listen opens a TCP listener on loopback and tells the runner its address. Backlog 0 is the system's default.
	Listen func(ctx context.Context, backlog int) (*net.TCPListener, error)
	// Open opens n listeners at one address, by SO_REUSEPORT if they are several, and tells nobody: for a server that has more
	// to prepare before the first client comes. Announce tells the runner then.
	Open     func(ctx context.Context, n int) ([]*net.TCPListener, error)
	Announce func(addr net.Addr)
	// Self returns a command that starts this program again to run the demo's Worker, with an end of its standard input as the
	// sign to end.
	Self func() (*exec.Cmd, error)
	// Addr is the server's address, "ip:port", for the client.
	Addr string
	// Step tells the runner that the client begins step n (from 0) of the lesson.
	Step func(n int)
	// Note records a number that the program itself measured, to be compared with what the kernel saw. Names are the
	// demo's own and end in a unit: step0_request_ns. The last value of a name counts.
	Note func(name string, value float64)
	// Sysctl sets net.ipv4.NAME in the demo's own network namespace; it fails if there is none.
	Sysctl func(name, value string) error
	Log    *log.Logger
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
	Text  string // sentences; a newline ends a paragraph
	// Page is the dashboard's page that shows it: overview, listeners, connections, requests, workers, findings, events.
	Page   string
	Claims []Claim
}
