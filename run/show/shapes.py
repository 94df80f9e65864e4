"""The geoms of a MuJoCo model as meshes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np

if TYPE_CHECKING:
    import trimesh

HIDDEN = 3  # from this group on geoms are not shown, as in MuJoCo's own viewers
UNSET = [0.5, 0.5, 0.5, 1.0]  # the colour of a geom that has none of its own: its material's counts


def shown(model: mujoco.MjModel, body: int) -> list[int]:
    """Return the geoms of a body that are to be seen."""
    first = model.body_geomadr[body]
    geoms = range(first, first + model.body_geomnum[body])
    return [geom for geom in geoms if model.geom_group[geom] < HIDDEN and colour_of(model, geom)[3] > 0.0]


def colour_of(model: mujoco.MjModel, geom: int) -> tuple[float, ...]:
    """Return red, green, blue and opacity, 0 to 1."""
    own, material = model.geom_rgba[geom], model.geom_matid[geom]
    rgba = model.mat_rgba[material] if material >= 0 and np.allclose(own, UNSET) else own
    return tuple(float(part) for part in rgba)


def mesh_of(model: mujoco.MjModel, geom: int) -> trimesh.Trimesh | None:
    """Return the surface of a geom in the frame of its body; None for a plane and for what has none."""
    mesh = _mesh_at_origin(model, geom)
    if mesh is None:
        return None
    place, turn = np.eye(4), np.zeros(9)
    mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
    place[:3, :3], place[:3, 3] = turn.reshape(3, 3), model.geom_pos[geom]
    return mesh.apply_transform(place)


def _mesh_at_origin(model: mujoco.MjModel, geom: int) -> trimesh.Trimesh | None:
    from trimesh import Trimesh, creation

    size, kinds = model.geom_size[geom], mujoco.mjtGeom
    match kinds(model.geom_type[geom]):
        case kinds.mjGEOM_SPHERE:
            return creation.icosphere(3, size[0])
        case kinds.mjGEOM_CAPSULE:
            return creation.capsule(height=2 * size[1], radius=size[0], count=[24, 24])
        case kinds.mjGEOM_CYLINDER:
            return creation.cylinder(size[0], 2 * size[1], sections=32)
        case kinds.mjGEOM_BOX:
            return creation.box(2 * size)
        case kinds.mjGEOM_ELLIPSOID:
            return creation.icosphere(3).apply_scale(size)
        case kinds.mjGEOM_MESH:
            mesh = model.geom_dataid[geom]
            vertices = slice(model.mesh_vertadr[mesh], model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh])
            faces = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
            return Trimesh(model.mesh_vert[vertices], model.mesh_face[faces], process=False)
    return None
