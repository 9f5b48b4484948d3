// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const rootLong = `beltrace shows what the kernel does for a backend: connections that come, wait in
the accept queue, are accepted, and end. It watches any server, unmodified.

Without a verb it opens the dashboard of the whole host (beltrace top).`

const rootExample = `  sudo beltrace                            everything on this host
  sudo beltrace --port 8080                one server
  sudo beltrace trace connect,accept       events as lines
  sudo beltrace run -- ./my-server         start a server and watch it
  beltrace replay file.ndjson.zst          look at a recording, without privileges
  beltrace report file.ndjson.zst          what went wrong in it, why, and what to change`

// rootCmd returns the whole command line.
func (a *app) rootCmd() *cobra.Command {
	root := a.topCmd()
	root.Use = "beltrace"
	root.Short = "Watch how the kernel serves a backend"
	root.Long, root.Example = rootLong, rootExample
	root.Args = func(c *cobra.Command, args []string) error { return unknownCommand(c, args) }
	root.ValidArgsFunction = nil
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCmd())
	root.AddCommand(
		a.topCmd(),
		a.traceCmd(),
		a.runCmd(),
		a.demoCmd(),
		a.recordCmd(),
		a.replayCmd(),
		a.reportCmd(),
		a.doctorCmd(),
		a.versionCmd(),
		completionCmd(),
		startCmd(),
		manCmd(),
		a.demoChildCmd(),
	)
	return root
}

// unknownCommand refuses a first word that is no verb.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Root().Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return usagef("unknown command %q%s (see beltrace help)", args[0], didYouMean(args[0], names))
}

// helpCmd replaces cobra's, which takes a wrong name for success.
func helpCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("beltrace help takes one command, not %q", strings.Join(args, " "))
			}
			about, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(c, args)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, sub := range c.Root().Commands() {
				if len(args) == 0 && sub.IsAvailableCommand() {
					names = append(names, sub.Name()+"\t"+sub.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// noArgs refuses arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("%s takes no argument: %q (see %s --help)", c.CommandPath(), strings.Join(args, " "), c.CommandPath())
}

// oneArg asks for exactly one argument of that meaning before a "--".
func oneArg(what, example string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		n := len(args)
		if dash := c.ArgsLenAtDash(); dash >= 0 {
			n = dash
		}
		use := fmt.Sprintf("%s %s", c.CommandPath(), example)
		switch {
		case n == 0:
			return usagef("%s needs %s: %s", c.CommandPath(), what, use)
		case n > 1:
			return usagef("%s takes one argument, not %q: %s", c.CommandPath(), strings.Join(args[:n], " "), use)
		case args[0] == "": // from an empty variable
			return usagef("the name is empty: %s", use)
		}
		return nil
	}
}
