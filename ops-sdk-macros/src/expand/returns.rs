//! What a function's return type tells: the type to give to its measured body, and whether it is a future that the
//! function builds by hand.

use syn::{
    GenericArgument, PathArguments, PathSegment, ReturnType, Type, TypeParamBound, TypePath, parse_quote,
};

use crate::model::Returned;

/// The type that the body returns, as an inner body may be given it: `impl Trait` cannot be written there, so it is
/// left to inference. `None` for a function that never returns.
pub(super) fn of_body(output: &ReturnType) -> Option<Type> {
    match output {
        ReturnType::Default => Some(parse_quote!(())),
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => None,
        ReturnType::Type(_, ty) => Some(inferred((**ty).clone())),
    }
}

/// Whether it is `impl Trait`.
pub(super) fn is_opaque(output: &ReturnType) -> bool {
    fn opaque(ty: &Type) -> bool {
        match ty {
            Type::ImplTrait(_) => true,
            Type::Paren(ty) => opaque(&ty.elem),
            Type::Group(ty) => opaque(&ty.elem),
            _ => false,
        }
    }
    matches!(output, ReturnType::Type(_, ty) if opaque(ty))
}

/// What can be seen of what is returned, by the body or by the future that it makes.
pub(super) fn seen(output: &ReturnType) -> Returned {
    let ReturnType::Type(_, ty) = output else { return Returned::Nothing };
    match of_future(output).as_ref().unwrap_or(ty) {
        Type::Never(_) => Returned::Nothing,
        Type::Tuple(ty) if ty.elems.is_empty() => Returned::Nothing,
        Type::Path(ty) if ty.path.segments.last().is_some_and(|last| last.ident == "Option") => {
            Returned::Option
        }
        _ if of_future(output).is_none() && is_opaque(output) => Returned::Nothing,
        _ => Returned::Value,
    }
}

/// What the future returns that a function returns, if its type can be read: `impl Future<Output = T>`,
/// `Pin<Box<dyn Future<Output = T>>>`, `BoxFuture<'_, T>`, `LocalBoxFuture<'_, T>`.
pub(super) fn of_future(output: &ReturnType) -> Option<Type> {
    let ReturnType::Type(_, ty) = output else { return None };
    output_of(ty).cloned().map(inferred)
}

fn output_of(ty: &Type) -> Option<&Type> {
    match ty {
        Type::ImplTrait(ty) => ty.bounds.iter().find_map(output_of_bound),
        Type::TraitObject(ty) => ty.bounds.iter().find_map(output_of_bound),
        Type::Paren(ty) => output_of(&ty.elem),
        Type::Group(ty) => output_of(&ty.elem),
        Type::Path(ty) => output_of_path(ty),
        _ => None,
    }
}

fn output_of_bound(bound: &TypeParamBound) -> Option<&Type> {
    let TypeParamBound::Trait(bound) = bound else { return None };
    let arguments = arguments(bound.path.segments.last()?)?;
    arguments.into_iter().find_map(|argument| match argument {
        GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(&assoc.ty),
        _ => None,
    })
}

fn output_of_path(ty: &TypePath) -> Option<&Type> {
    let last = ty.path.segments.last()?;
    let inner = arguments(last)?.into_iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })?;
    match last.ident.to_string().as_str() {
        "Pin" | "Box" => output_of(inner),
        "BoxFuture" | "LocalBoxFuture" => Some(inner),
        _ => None,
    }
}

fn arguments(segment: &PathSegment) -> Option<Vec<&GenericArgument>> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter().collect()),
        _ => None,
    }
}

/// The type with `_` for every `impl Trait` in it.
fn inferred(mut ty: Type) -> Type {
    infer(&mut ty);
    ty
}

fn infer(ty: &mut Type) {
    match ty {
        Type::ImplTrait(_) => *ty = parse_quote!(_),
        Type::Tuple(ty) => ty.elems.iter_mut().for_each(infer),
        Type::Array(ty) => infer(&mut ty.elem),
        Type::Slice(ty) => infer(&mut ty.elem),
        Type::Reference(ty) => infer(&mut ty.elem),
        Type::Ptr(ty) => infer(&mut ty.elem),
        Type::Paren(ty) => infer(&mut ty.elem),
        Type::Group(ty) => infer(&mut ty.elem),
        Type::Path(ty) => ty.path.segments.iter_mut().for_each(infer_in_segment),
        _ => {}
    }
}

fn infer_in_segment(segment: &mut PathSegment) {
    if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
        for argument in &mut arguments.args {
            if let GenericArgument::Type(ty) = argument {
                infer(ty);
            }
        }
    }
}
