"""What there is to draw with: a screen, or a library that draws without one."""

from __future__ import annotations

import ctypes
import functools
import gc
import glob
import itertools
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from baselines_ppo.common.failures import UsageError, short

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
ON_SCREEN = "glfw"  # as MuJoCo names them, like the next
LIBRARIES = ("egl", "osmesa", ON_SCREEN)  # for pictures, the best first: a screen may be a stale one
INSTALL = "apt install libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0, or libosmesa6"
# Where Mesa's software renderer is: the only one on most machines that train.
RENDERERS = (
    "/usr/lib/*/dri/swrast_dri.so",
    "/usr/lib*/dri/swrast_dri.so",
    "/usr/lib/*/libgallium-*.so",
    "/usr/lib*/libgallium-*.so",
)
WITHOUT_LLVM = ("GALLIUM_DRIVER", "softpipe")  # by which it does without, at a quarter of the speed
TRIAL = """
import mujoco
from gymnasium.envs.mujoco.mujoco_rendering import OffScreenViewer
model = mujoco.MjModel.from_xml_string("<mujoco/>")
OffScreenViewer(model, mujoco.MjData(model), 16, 16)
"""


def check_chosen() -> None:
    """Check that MuJoCo can be imported with the library that MUJOCO_GL names, if the user has set it.

    Raises:
      UsageError: it cannot, which would look like an error of ours.
    """
    chosen = os.environ.get("MUJOCO_GL")
    if chosen:
        try:
            import mujoco  # noqa: F401
        except Exception as error:  # whatever a library raises that is not there
            cause = f"MUJOCO_GL is {short(chosen)}, with which MuJoCo does not start ({short(error)})"
            raise UsageError(f"{cause}; unset it") from None


def check_not_drawn() -> None:
    """Check that TensorFlow can be imported.

    It brings LLVM, and so does Mesa's software renderer, which shows its own to all that is loaded after it draws:
    TensorFlow would call that one, and crash.

    Raises:
      UsageError: pictures were drawn in this process.
    """
    if _renders_by_llvm():
        gc.collect()  # environments that nobody holds any more may still be there, and with them the renderer
    if _renders_by_llvm():
        raise UsageError(
            "pictures were drawn in this process, and TensorFlow would crash in it now; draw after the training, "
            "or train with ranks=2, in processes of their own"
        )


@functools.cache
def draw_beside_tensorflow() -> None:
    """Let Mesa call its own LLVM, not TensorFlow's, which is loaded already: by that it would crash."""
    if sys.platform != "linux":
        return
    for renderer in itertools.chain.from_iterable(map(glob.glob, RENDERERS)):
        with suppress(OSError):  # one for another machine
            ctypes.CDLL(renderer, mode=os.RTLD_DEEPBIND | os.RTLD_LAZY)
    if not _renders_by_llvm():  # it is elsewhere
        os.environ.setdefault(*WITHOUT_LLVM)


def _renders_by_llvm() -> bool:
    """Return whether Mesa's software renderer and its LLVM are loaded."""
    if sys.platform != "linux":
        return False
    loaded = Path("/proc/self/maps").read_text()
    return "libLLVM" in loaded and any(name in loaded for name in ("_dri.so", "libgallium", "libOSMesa"))


def has_display() -> bool:
    """Return whether a window can be opened, which is tried out where a screen is named."""
    screens = [os.environ.get(name, "") for name in SCREENS]
    return sys.platform != "linux" or (any(screens) and _draws(ON_SCREEN, *screens))


def choose_opengl() -> bool:
    """Set MUJOCO_GL to a library that can draw pictures here, unless the user has; returns whether there is one.

    It is read when MuJoCo, or what is built on it, is imported.
    """
    if sys.platform != "linux":
        return True
    if "tensorflow" in sys.modules:
        draw_beside_tensorflow()
    chosen = os.environ.get("MUJOCO_GL")
    drawing = next(filter(_draws, [chosen] if chosen else LIBRARIES), None)
    if drawing is not None:
        os.environ["MUJOCO_GL"] = drawing
    return drawing is not None


def prepare_opengl() -> None:
    """Set MUJOCO_GL to a library that can draw pictures here, unless the user has.

    Raises:
      UsageError: there is none, or that of the user cannot.
    """
    if choose_opengl():
        return
    chosen = os.environ.get("MUJOCO_GL")
    cause = f"MUJOCO_GL is {chosen}, which draws no pictures here" if chosen else "no library that draws pictures here"
    raise UsageError(f"{cause}; {'unset it, or ' if chosen else ''}{INSTALL}")


@functools.cache
def _draws(library: str, *screens: str) -> bool:
    """Try a library out in a process of its own, as one that is only half installed may crash.

    Args:
      screens: whose, if one is needed.
    """
    trial = subprocess.run([sys.executable, "-c", TRIAL], env={**os.environ, "MUJOCO_GL": library}, capture_output=True)
    return trial.returncode == 0
