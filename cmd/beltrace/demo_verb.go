// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
)

// childVerb is the hidden verb under which a demo's server or client runs, and what its server starts.
const childVerb = "__demo"

// demoChildCmd is the life of a demo's server or client.
func (a *app) demoChildCmd() *cobra.Command {
	return &cobra.Command{
		Use:    childVerb + " ROLE NAME",
		Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 2 || !slices.Contains([]string{demoServer, demoClient, demoWorker}, args[0]) {
				return usagef("%s is not for people", childVerb)
			}
			d, err := findDemo(args[1])
			if err != nil {
				return err
			}
			syscall.CloseOnExec(reportFD)
			nameProcess(args[0])
			if args[0] == demoWorker {
				return demoWorkerProcess(c.Context(), d, a.in, os.NewFile(reportFD, "listener"))
			}
			if demoChild(c.Context(), args[0], d, a.in, os.NewFile(reportFD, "reports")) != nil {
				return status(exitFailed) // the runner has been told why
			}
			return nil
		},
	}
}
