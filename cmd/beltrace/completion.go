// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const completionLong = `Print the completion script of a shell.

  bash        source <(beltrace completion bash)
  zsh         beltrace completion zsh > "${fpath[1]}/_beltrace"
  fish        beltrace completion fish > ~/.config/fish/completions/beltrace.fish
  powershell  beltrace completion powershell | Out-String | Invoke-Expression`

// completionCmd prints completion scripts.
func completionCmd() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Print the completion script of a shell",
		Long:      completionLong,
		Args:      oneArg("a shell", strings.Join(shells, "|")),
		ValidArgs: shells,
		RunE: func(c *cobra.Command, args []string) error {
			root, out := c.Root(), c.OutOrStdout()
			switch args[0] {
			case "bash":
				return bashCompletion(root, out)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return usagef("unknown shell %q%s (known: %s)", args[0], didYouMean(args[0], shells), strings.Join(shells, ", "))
		},
	}
}

// bashCommas are the places of cobra's script for bash that quote what can be completed, with what takes the quotes off
// commas again: nobody types them, and so nothing was found after the first name of a list.
var bashCommas = strings.NewReplacer(
	`comp=$(printf "%q" "${compline%%$tab*}")`, `comp=$(printf "%q" "${compline%%$tab*}"); comp=${comp//\\,/,}`,
	`COMPREPLY[0]=$(printf "%q" "${COMPREPLY[0]%%$tab*}")`, `COMPREPLY[0]=$(printf "%q" "${COMPREPLY[0]%%$tab*}"); COMPREPLY[0]=${COMPREPLY[0]//\\,/,}`,
	`COMPREPLY[0]=$(printf "%q" "${COMPREPLY[0]}")`, `COMPREPLY[0]=$(printf "%q" "${COMPREPLY[0]}"); COMPREPLY[0]=${COMPREPLY[0]//\\,/,}`,
	`< <(printf "%q\n" "${completions[@]%%$tab*}")`, `< <(printf "%q\n" "${completions[@]%%$tab*}"); completions=("${completions[@]//\\,/,}")`,
	`< <(printf "%q\n" "${completions[@]}")`, `< <(printf "%q\n" "${completions[@]}"); completions=("${completions[@]//\\,/,}")`,
	`< <(printf "%q\n" "${COMPREPLY[@]}")`, `< <(printf "%q\n" "${COMPREPLY[@]}"); COMPREPLY=("${COMPREPLY[@]//\\,/,}")`,
)

func bashCompletion(root *cobra.Command, out io.Writer) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	_, err := bashCommas.WriteString(out, script.String())
	return err
}

// completeList completes the last name of a list with commas: by those that it does not name yet. A name may carry a
// description behind a tab.
func completeList(typed string, names []string) []string {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	named := strings.Split(before, ",")
	var out []string
	for _, full := range names {
		if name, _, _ := strings.Cut(full, "\t"); !slices.Contains(named, name) {
			out = append(out, before+full)
		}
	}
	return out
}
