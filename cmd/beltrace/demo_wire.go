// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// A demo's server and client are this program started again. They talk with the runner in JSON lines: one order comes
// on standard input, reports go to file descriptor reportFD. The end of standard input tells a child to stop, so none
// outlives a runner that is gone.

// reportFD is the first of exec.Cmd's ExtraFiles.
const reportFD = 3

// Roles of a demo's child processes.
const (
	demoServer = "server"
	demoClient = "client"
	demoWorker = "worker" // started by a server; reportFD is its listener
)

// demoOrder starts a child's work. Until it comes the child does nothing, so that everything can be attached first.
type demoOrder struct {
	Listen string   `json:"listen,omitempty"` // server: where to listen
	Addr   string   `json:"addr,omitempty"`   // client: the server's address
	Args   []string `json:"args,omitempty"`
}

// demoReport is what a child has to say. Exactly one of its parts is there.
type demoReport struct {
	Addr string    `json:"addr,omitempty"` // the server listens here
	Step *demoStep `json:"step,omitempty"`
	Note *demoNote `json:"note,omitempty"`
	// Sysctl asks the runner, which has the privilege, to set one in the demo's own network namespace. It is replied to.
	Sysctl *demoSysctl `json:"sysctl,omitempty"`
	Error  *demoError  `json:"error,omitempty"` // the last words of a child that failed
}

type demoStep struct {
	N  int   `json:"n"`  // from 0
	TS int64 `json:"ts"` // CLOCK_MONOTONIC
}

type demoNote struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

type demoSysctl struct {
	Name  string `json:"name"` // below net.ipv4
	Value string `json:"value"`
}

// demoReply answers a report that asks. It comes on the child's standard input.
type demoReply struct {
	Error string `json:"error,omitempty"`
}

type demoError struct {
	Text  string `json:"text"`
	InUse string `json:"in_use,omitempty"` // the address that another socket has
}

// readReports passes on what a child says until it says no more. A line that is none of ours is an error: only our own
// code writes there.
func readReports(r io.Reader, each func(demoReport)) error {
	dec := json.NewDecoder(r)
	for {
		var rep demoReport
		if err := dec.Decode(&rep); err != nil {
			if err == io.EOF {
				return nil
			}
			return fmt.Errorf("read a demo's report: %w", err)
		}
		each(rep)
	}
}
