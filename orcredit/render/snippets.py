"""The snippets that `orcredit init` prints: what to put into which file, so that the prompt line is drawn."""

from __future__ import annotations

from typing import NamedTuple


class Snippet(NamedTuple):
    """What to add to a file.

    Attributes:
        text: the lines, with the last line break.
        file: where it belongs, for people, with `~` for the home directory.
        effect: how it takes effect; `{file}` stands for the file.
    """

    text: str
    file: str
    effect: str


# It exits with the status that it found: what follows in the prompt may show that.
_BASH = """\
# What your OpenRouter key can still spend, in front of the prompt (orcredit init bash)
[[ ${PS1-} == *'orcredit line'* ]] || PS1='$(e=$?; orcredit line --for bash 2>/dev/null; exit $e)'"${PS1-}"
"""

_ZSH = """\
# What your OpenRouter key can still spend, in front of the prompt (orcredit init zsh)
setopt prompt_subst
[[ ${PROMPT-} == *'orcredit line'* ]] || PROMPT='$(orcredit line --for zsh 2>/dev/null)'"${PROMPT-}"
"""

_FISH = """\
# What your OpenRouter key can still spend, at the right of the prompt (orcredit init fish)
if status is-interactive; and not functions -q __orcredit_right_prompt
    if functions -q fish_right_prompt
        functions -c fish_right_prompt __orcredit_right_prompt
    else
        function __orcredit_right_prompt
        end
    end
    function fish_right_prompt
        set -l before (__orcredit_right_prompt)
        string join ' ' (orcredit line --for fish 2>/dev/null) $before
    end
end
"""

_TMUX = """\
# What your OpenRouter key can still spend, in the status line (orcredit init tmux)
set -g status-right-length 100
%if #{==:#{m:*orcredit*,#{status-right}},0}
set -ag status-right ' #(orcredit line --for tmux)'
%endif
"""

_STARSHIP = """\
# What your OpenRouter key can still spend (orcredit init starship)
[custom.orcredit]
command = "orcredit line --for starship"
when = true
format = "$output "
"""

_WAYBAR = """\
"custom/orcredit": {
  "exec": "orcredit line --for waybar",
  "return-type": "json",
  "interval": 15,
  "on-click": "xdg-open https://openrouter.ai/settings/credits"
}
"""

_CLAUDE_CODE = """\
{
  "statusLine": {
    "type": "command",
    "command": "orcredit line --for claude-code"
  }
}
"""

SNIPPETS = {
    "bash": Snippet(_BASH, "~/.bashrc", "It takes effect in new shells."),
    "zsh": Snippet(_ZSH, "~/.zshrc", "It takes effect in new shells."),
    "fish": Snippet(_FISH, "~/.config/fish/config.fish", "It takes effect in new shells."),
    "tmux": Snippet(_TMUX, "~/.tmux.conf", "It takes effect after: tmux source-file {file}"),
    "starship": Snippet(_STARSHIP, "~/.config/starship.toml", "It takes effect at the next prompt."),
    "waybar": Snippet(
        _WAYBAR,
        "~/.config/waybar/config.jsonc",
        'Add "custom/orcredit" to one of its modules-... lists, and restart Waybar.',
    ),
    "claude-code": Snippet(
        _CLAUDE_CODE,
        "~/.claude/settings.json",
        "If there are settings in it, add statusLine to them.",
    ),
}
"""By target, in the order of `orcredit.render.prompts.TARGETS`."""
