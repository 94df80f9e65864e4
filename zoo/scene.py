"""The world around robots: a floor, light, and what touches what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mujoco

CONTROL_STEP = 0.0165  # s, between two actions
GRAVITY = 9.8  # m/s^2
FIELD = (26.25, 12.5)  # m, half its length and half its width; its middle is the origin

CUBE_EDGE, CUBE_MASS = 0.1, 1.2  # m, kg
CUBE_INERTIA = 0.001  # kg m^2
CUBE_RADIUS = 0.06  # m, of the sphere that it is in collisions: hits like the box, and costs less at rest

PREFIX = "robot/"
ROBOTS = Path(__file__).parent / "robots"


class Placed(NamedTuple):
    """One robot of a scene."""

    model: str  # its file's name in robots/, without .xml
    feet: Sequence[str]  # bodies whose contacts are sensed
    watched: Sequence[str] = ()  # bodies whose places are sensed
    friction: float = 0.8  # on the floor
    prefix: str = PREFIX  # of all its names
    lane: float = 0.0  # m, the y of its start


def build_scene(robots: Sequence[Placed], substeps: int, flag: bool = False, cube: bool = False) -> mujoco.MjModel:
    """Return a model of robots on a floor; everything that touches is an explicit pair of geoms.

    Its sensors are, for each robot: for each foot its contacts with the floor, `<foot>_floor`, and all its contacts,
    `<foot>_any`; then for each watched body the place of its centre, `<body>_place`.

    Args:
      substeps: of the simulation per control step.
      flag: whether there is a body `flag` that shows a place, and that nothing touches.
      cube: whether there is a body `cube`, to be thrown at the first robot.
    """
    spec = mujoco.MjSpec()
    _set_physics(spec, substeps)
    furnish(spec)
    for robot in robots:
        _place(spec, robot)
    if cube:
        _add_cube(spec)
    stiff = [2 * spec.option.timestep, 1.0]  # as much as is stable, critically damped
    for pair in spec.pairs:
        pair.solref = stiff
    for joint in spec.joints:
        joint.solref_limit = stiff
    _add_sun(spec, spec.bodies[1])
    if flag:
        _add_flag(spec)
    return spec.compile()


def _set_physics(spec: Any, substeps: int) -> None:
    """Set what integrates the motion.

    Measured on the humanoid: three substeps of 5.5 ms are 1.3 times as fast as Roboschool's four and as stable;
    the solver needs 2 to 3 iterations on average, so that six cost nothing; below four it may diverge.
    """
    option = spec.option
    option.timestep = CONTROL_STEP / substeps
    option.gravity = [0.0, 0.0, -GRAVITY]
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.iterations, option.ls_iterations = 6, 20
    option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND


def furnish(spec: Any) -> None:
    """Add the floor, whose squares are 1 m wide, and the sky."""
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1920, 1088
    spec.visual.quality.shadowsize = 4096
    spec.visual.map.zfar, spec.visual.map.shadowclip = 100, 8
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.35] * 3, [0.35] * 3
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.55, 0.70, 0.85],
        rgb2=[0.93, 0.95, 0.97],
        width=256,
        height=256,
    )
    spec.add_texture(
        name="squares",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.62, 0.70, 0.63],
        rgb2=[0.56, 0.65, 0.58],
        width=256,
        height=256,
    )
    grass = spec.add_material(name="grass", texrepeat=[1, 1], texuniform=True)
    grass.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "squares"
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0.0, 0.0, 1.0],
        group=2,
        contype=0,
        conaffinity=0,
        material="grass",
    )


def _place(spec: Any, robot: Placed) -> None:
    """Add a robot, its contacts with the floor and its sensors."""
    body = mujoco.MjSpec.from_file(str(ROBOTS / f"{robot.model}.xml"))
    spec.attach(body, prefix=robot.prefix, frame=spec.worldbody.add_frame(pos=[0.0, robot.lane, 0.0]))
    for geom in spec.geoms:
        if geom.group == 0 and geom.name.startswith(robot.prefix):
            _pair(spec, "floor", geom.name, robot.friction)
    for foot in robot.feet:
        _sense_contacts(spec, f"{robot.prefix}{foot}")
    for name in robot.watched:
        spec.add_sensor(
            name=f"{robot.prefix}{name}_place",
            type=mujoco.mjtSensor.mjSENS_FRAMEPOS,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            objname=f"{robot.prefix}{name}",
        )


def _add_sun(spec: Any, body: Any) -> None:
    """Add the light that follows a body about, so that it always has a sharp shadow."""
    spec.stat.extent = 3.0
    body.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM,
        pos=[-1.2, -1.6, 4.0],
        dir=[0.3, 0.4, -1.0],
        diffuse=[0.6] * 3,
        castshadow=True,
    )


def _add_cube(spec: Any) -> None:
    """Add the cube, which hits the floor and all of a robot but its arms."""
    body = spec.worldbody.add_body(
        name="cube",
        mass=CUBE_MASS,
        inertia=[CUBE_INERTIA] * 3,
        explicitinertial=True,
    )
    body.add_freejoint(name="cube")
    free = {"contype": 0, "conaffinity": 0}
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[CUBE_EDGE / 2] * 3, rgba=[0.75, 0.2, 0.15, 1], group=1, **free)
    body.add_geom(name="cube", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[CUBE_RADIUS, 0, 0], group=3, **free)
    _pair(spec, "floor", "cube", 0.8)
    for geom in spec.geoms:
        if geom.group == 0 and "arm" not in geom.name and "hand" not in geom.name:
            _pair(spec, "cube", geom.name, 0.8)


def _add_flag(spec: Any) -> None:
    body = spec.worldbody.add_body(name="flag", mocap=True)
    cylinder, box = mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_BOX
    grey, red = [0.9, 0.9, 0.9, 1.0], [0.85, 0.15, 0.15, 1.0]
    free = {"contype": 0, "conaffinity": 0, "group": 2}
    body.add_geom(type=cylinder, fromto=[0, 0, 0, 0, 0, 1.6], size=[0.02, 0, 0], rgba=grey, **free)
    body.add_geom(type=box, pos=[0.25, 0, 1.42], size=[0.23, 0.01, 0.17], rgba=red, **free)
    body.add_geom(type=cylinder, pos=[0, 0, 0.004], size=[0.35, 0.003, 0], rgba=red, **free)


def _pair(spec: Any, first: str, second: str, friction: float) -> None:
    spec.add_pair(
        geomname1=first,
        geomname2=second,
        condim=3,
        friction=[friction, friction, 0.005, 0.0001, 0.0001],
    )


def _sense_contacts(spec: Any, foot: str) -> None:
    body, geom = mujoco.mjtObj.mjOBJ_BODY, mujoco.mjtObj.mjOBJ_GEOM
    count = [1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND), 0, 1]
    kind = mujoco.mjtSensor.mjSENS_CONTACT
    spec.add_sensor(
        name=f"{foot}_floor", type=kind, objtype=geom, objname="floor", reftype=body, refname=foot, intprm=count
    )
    spec.add_sensor(name=f"{foot}_any", type=kind, objtype=body, objname=foot, intprm=count)
