"""A MuJoCo model as a viser scene: built once, then only poses are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run.show.shapes import colour_of, mesh_of, shown

if TYPE_CHECKING:
    import viser

SQUARE = 1.0  # m, of the floor's pattern
FLOOR = 240.0  # m, of the floor to each side; it goes with what is followed
BELOW = 0.5  # m, of the floor under a model that has none
REACH = 60.0  # m, to each side, within which a click counts
LIGHT, DARK = (120, 135, 122), (108, 126, 112)  # of the floor; in this light they look like those of `zoo.scene`
SKY = (214, 226, 236)
RED = (217, 38, 38)  # of flags, and of what points to them
# An arrow that lies on the floor and points along x: its corners in m, x and y, from what it is around.
ARROW = np.array([[0.9, 0.05], [0.9, -0.05], [1.3, -0.05], [1.3, -0.16], [1.6, 0.0], [1.3, 0.16], [1.3, 0.05]])
IN_SIGHT = 3.0  # m, from the middle, of what needs no arrow
FIELD_OF_VIEW = np.radians(45.0)  # from top to bottom
FOG = (25.0, 55.0)  # m from the camera, over which the floor fades into the sky
NEAR = 10.0  # m, beyond which a camera that steps back takes the fog along
ABOVE = 0.9  # m, of a name over the middle of a body
NEAREST, FARTHEST = 0.01, 1e4  # m, of a camera from what it looks at: as viser has them


class Stage:
    """One model in the scene of a viser server; what happens on it is also what a serializer records."""

    def __init__(self, server: viser.ViserServer, model: mujoco.MjModel, view: Mapping[str, Any] | None = None) -> None:
        """Build the scene, in place of the one before.

        Args:
          view: of the camera, as MuJoCo names it: distance, azimuth, elevation, lookat; and trackbodyid, which body
            stays in the middle.
        """
        self._server, self._model, view = server, model, view or {}
        self._followed = int(view.get("trackbodyid", 0))
        self.centre = np.zeros(2)  # m, what of the world is shown in the middle
        self._farther = -1.0  # m, by which the fog is farther away than usual
        server.scene.reset()
        self._set_light()
        self._world = server.scene.add_frame("/world", show_axes=False)
        self._floor = self._add_floor()
        self._frames = {body: self._add_body(body) for body in range(model.nbody)}
        self._arrow: Any = None
        self._names: dict[int, Any] = {}  # labels, by the body that they are above
        self._distance = 0.0  # m, from which all was to be seen at first
        self._aim(view)

    def show(self, data: mujoco.MjData, follow: bool = True) -> None:
        """Show where everything is; following, what is followed stays in the middle of the picture."""
        if follow and self._followed:
            self.centre = data.xpos[self._followed, :2].copy()
        with self._server.atomic():
            self._world.position = (-self.centre[0], -self.centre[1], 0.0)
            self._floor.position = (*-np.mod(self.centre, 2 * SQUARE), self._floor.position[2])
            for body, frame in self._frames.items():
                if frame is not None:
                    frame.position, frame.wxyz = data.xpos[body], data.xquat[body]
            for body, label in self._names.items():
                label.position = data.xpos[body] + [0.0, 0.0, ABOVE]

    def name(self, names: Mapping[int, str]) -> None:
        """Put a name above each of these bodies."""
        for body, text in names.items():
            if body not in self._names:
                self._names[body] = self._server.scene.add_label(f"/world/name{body}", text, anchor="bottom-center")
            elif self._names[body].text != text:
                self._names[body].text = text

    def point_to(self, place: tuple[float, float] | None) -> None:
        """Show an arrow on the floor that points to a place, in m, that may be outside of the picture; None: none."""
        x, y = np.zeros(2) if place is None else np.subtract(place, self.centre)
        far, turn = bool(np.hypot(x, y) > IN_SIGHT), np.arctan2(y, x) / 2
        if far and self._arrow is None:
            corners = np.pad(ARROW, ((0, 0), (0, 1)), constant_values=0.02)
            faces = np.array([[0, 1, 2], [0, 2, 6], [3, 4, 5]])
            self._arrow = self._server.scene.add_mesh_simple("/arrow", corners, faces, color=RED, side="double")
        if self._arrow is not None:
            self._arrow.visible, self._arrow.wxyz = far, (np.cos(turn), 0.0, 0.0, np.sin(turn))

    def step_back(self, distance: float) -> None:
        """Move every camera that is nearer than some m to the middle back to there; the first time, the farther too."""
        from viser import _messages

        # A limit moves the cameras; then it is lifted, so that by hand they can still be moved to anywhere.
        limits: list[Any] = [_messages.SetCameraMinOrbitDistanceMessage(least) for least in (distance, NEAREST)]
        if not self._distance:
            limits += [_messages.SetCameraMaxOrbitDistanceMessage(most) for most in (distance, FARTHEST)]
        self._distance = self._distance or distance
        for limit in limits:
            self._server._websock_server.queue_message(limit)
        self._set_fog(2.0 * max(0.0, round(distance - NEAR)))  # the last are farther away than the middle

    def ground(self, origin: Any, direction: Any) -> tuple[float, float] | None:
        """Return where a ray of the scene meets the floor, x and y in m of the model's world; None if nowhere."""
        start, way = np.asarray(origin, dtype=float), np.asarray(direction, dtype=float)
        if way[2] > -1e-3:
            return None
        x, y = (start + way * (-start[2] / way[2]))[:2]
        if max(abs(x), abs(y)) > REACH:
            return None
        return float(x + self.centre[0]), float(y + self.centre[1])

    def _set_light(self) -> None:
        scene = self._server.scene
        scene.set_up_direction("+z")
        scene.configure_environment_map(None)
        scene.set_background_image(np.full((2, 2, 3), SKY, np.uint8))
        self._set_fog(0.0)
        scene.add_light_hemisphere("/sky", sky_color=(255, 255, 255), ground_color=(150, 150, 145), intensity=4.0)

    def _set_fog(self, farther: float) -> None:
        if farther != self._farther:
            near, far = np.add(FOG, farther)
            self._server.scene.configure_fog(float(near), float(far), color=_linear(SKY))
        self._farther = farther

    def _add_floor(self) -> Any:
        import trimesh
        from PIL import Image
        from trimesh.visual.material import PBRMaterial
        from trimesh.visual.texture import TextureVisuals

        model = self._model
        planes = [geom for geom in shown(model, 0) if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_PLANE]
        corners = [[-FLOOR, -FLOOR, 0.0], [FLOOR, -FLOOR, 0.0], [FLOOR, FLOOR, 0.0], [-FLOOR, FLOOR, 0.0]]
        squares = Image.fromarray(np.array([[LIGHT, DARK], [DARK, LIGHT]], np.uint8).repeat(64, 0).repeat(64, 1))
        grass = PBRMaterial(baseColorTexture=squares, metallicFactor=0.0, roughnessFactor=1.0)
        turf = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
        turf.visual = TextureVisuals(np.array(corners)[:, :2] / (2 * SQUARE), material=grass)
        position = (0.0, 0.0, float(model.geom_pos[planes[0], 2]) if planes else self._lowest() - BELOW)
        return self._server.scene.add_mesh_trimesh("/floor", turf, position=position, cast_shadow=False)

    def _lowest(self) -> float:
        """Return the height of the lowest point that is shown at first, about, in m."""
        model, data = self._model, mujoco.MjData(self._model)
        mujoco.mj_kinematics(model, data)
        geoms = [geom for body in range(model.nbody) for geom in shown(model, body)]
        upward, boxes = data.geom_xmat[geoms, 6:], model.geom_aabb[geoms]  # of their axes; their middles and halves
        lows = (upward * boxes[:, :3] - np.abs(upward) * boxes[:, 3:]).sum(axis=1)
        return float(min(data.geom_xpos[geoms, 2] + lows, default=0.0))

    def _add_body(self, body: int) -> Any:
        """Return the frame of a body, which holds a mesh for each colour, or None if nothing of it is shown."""
        import trimesh

        by_colour: dict[tuple[float, ...], list[trimesh.Trimesh]] = {}
        for geom in shown(self._model, body):
            mesh = mesh_of(self._model, geom)
            if mesh is not None:
                by_colour.setdefault(colour_of(self._model, geom), []).append(mesh)
        if not by_colour:
            return None
        frame = self._server.scene.add_frame(f"/world/{body}", show_axes=False)
        for i, (colour, meshes) in enumerate(by_colour.items()):
            whole: Any = trimesh.util.concatenate(meshes)
            self._server.scene.add_mesh_simple(
                f"/world/{body}/{i}",
                whole.vertices,
                whole.faces,
                color=np.array(colour[:3]),
                opacity=None if colour[3] == 1.0 else colour[3],
            )
        return frame

    def _aim(self, view: Mapping[str, Any]) -> None:
        """Put everybody's camera where the view says, around what is followed or around the model's middle."""
        model = self._model
        middle = np.array(view.get("lookat", model.stat.center), dtype=float)
        if self._followed:
            data = mujoco.MjData(model)
            mujoco.mj_kinematics(model, data)
            middle = data.xpos[self._followed] * [0.0, 0.0, 0.8]
        azimuth, elevation = np.radians([view.get("azimuth", 120.0), view.get("elevation", -20.0)])
        towards = np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        cameras: list[Any] = [client.camera for client in self._server.get_clients().values()]
        for camera in (self._server.initial_camera, *cameras):
            camera.position = middle - towards * view.get("distance", 1.5 * model.stat.extent)
            camera.look_at = middle
            camera.fov = FIELD_OF_VIEW


def require_viser() -> None:
    """Check that what shows scenes in a browser is installed.

    Raises:
      UsageError: it is not.
    """
    try:
        import trimesh  # noqa: F401
        import viser  # noqa: F401
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed; pip install 'viser>=1.1.1,<1.2' 'trimesh>=4.0'") from None


def _linear(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return a colour as the fog takes it, which is not corrected for the screen as all others are."""
    r, g, b = (round(255 * (part / 255) ** 2.2) for part in colour)
    return r, g, b
