"""For a firmware of one's own: the node's files in flash, where they take nothing of the heap.

make -C ports/... FROZEN_MANIFEST=.../nodes/micropython/manifest.py, with the port's own manifest included by whoever
wants its modules as well. main.py stays a file: a firmware looks for it by that name.
"""

package("stethos", base_path="lib")  # noqa: F821
package("sensors")  # noqa: F821
package("radios")  # noqa: F821
for name in ("alerts", "board", "commands", "exchange", "judges", "kept", "learning", "models", "node", "reports",
             "settings", "talk"):  # fmt: skip
    module(name + ".py")  # noqa: F821
